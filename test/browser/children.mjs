import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { accessible, api, rowOf, until, visit } from './page.mjs'
import { publish, shop } from './shop.mjs'

test('a child is added, changed, suspended, exported and removed', async (t) => {
  await shop()
  await api('POST', '/api/v1/cas', { handle: 'kid' })
  const request = await api('GET', '/api/v1/cas/kid/id/child_request.xml')
  const page = await visit(t, '/ui/cas/shop/children')
  const dialog = page.getByRole('dialog')
  await page.getByText('The CA has no children').waitFor()
  await page.getByRole('button', { name: 'Add a child' }).click()
  await dialog.getByLabel('child_request of').fill(request)
  assert.equal(await dialog.getByLabel('Handle of the child').inputValue(), 'kid')
  await dialog.getByLabel('IPv4').fill('192.0.2.0/24')
  await dialog.getByRole('button', { name: 'Add' }).click()
  await dialog.getByRole('alert').filter({ hasText: 'kid' }).waitFor() // the CA does not hold that
  await accessible(page, 'child-refused')
  await dialog.getByLabel('IPv4').fill('10.2.1.0/24')
  await dialog.getByRole('button', { name: 'Add' }).click()
  const response = await dialog.getByLabel('Parent response for kid').inputValue()
  assert.match(response, /<parent_response /)
  await dialog.getByRole('button', { name: 'Done' }).click()

  const child = () => api('GET', '/api/v1/cas/shop/children/kid')
  await page.getByRole('button', { name: 'Resources of kid' }).click()
  await dialog.getByLabel('AS numbers').fill('AS64515')
  await dialog.getByRole('button', { name: 'Change' }).click()
  await rowOf(page, 'kid').getByText('AS64515').waitFor()
  assert.deepEqual((await child()).entitled_resources, { asn: 'AS64515', ipv4: '10.2.1.0/24', ipv6: '' })

  await page.getByRole('button', { name: 'Suspend kid' }).click()
  await dialog.getByRole('button', { name: 'Suspend' }).click()
  await dialog.getByText('A child that has no certificates cannot be suspended.').waitFor()
  await accessible(page, 'child-suspend')
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  await page.getByRole('button', { name: 'Details of kid' }).click()
  await dialog.getByText('Identity certificate').waitFor()
  await dialog.getByRole('button', { name: 'Export for another parent' }).click()
  await dialog.getByRole('alert').filter({ hasText: 'has 0 certificates' }).waitFor()
  await accessible(page, 'child')
  await dialog.getByRole('button', { name: 'Done' }).click()

  await publish('kid')
  await api('POST', '/api/v1/cas/kid/parents', { handle: 'shop', response: await api('GET', '/api/v1/cas/shop/children/kid/parent_response.json') })
  await until('the child is certified', async () => (await api('GET', '/api/v1/cas/kid')).resources.ipv4 !== '')
  await page.getByRole('button', { name: 'Suspend kid' }).click()
  await dialog.getByRole('button', { name: 'Suspend' }).click()
  await rowOf(page, 'kid').getByText('suspended').waitFor()
  await accessible(page, 'children')
  await page.getByRole('button', { name: 'Un-suspend kid' }).click()
  await dialog.getByRole('button', { name: 'Un-suspend' }).click()
  await rowOf(page, 'kid').getByText('active').waitFor()
  await api('POST', '/api/v1/cas/shop/children/kid', { resources: { asn: '', ipv4: '10.2.1.0/24', ipv6: '' } })

  // Somebody else was there since the page looked: nothing is overwritten.
  await page.getByRole('button', { name: 'Resources of kid' }).click()
  await dialog.getByLabel('AS numbers').fill('AS64516')
  await dialog.getByRole('button', { name: 'Change' }).click()
  await dialog.getByRole('alert').filter({ hasText: 'Somebody else has changed this' }).waitFor()
  await dialog.getByRole('button', { name: 'Cancel' }).click()

  await page.getByRole('button', { name: 'Remove kid' }).click()
  await dialog.getByRole('button', { name: 'Remove kid' }).click()
  await page.getByText('The CA has no children').waitFor()
})

test('what a child holds is exported for another parent', async (t) => {
  await shop()
  const page = await visit(t, '/ui/cas/testbed/children')
  await page.getByLabel('Handle begins with').fill('shop')
  await page.getByRole('row', { name: /^shop active/ }).getByText('success').waitFor()
  await page.getByRole('button', { name: 'Details of shop', exact: true }).click()
  const download = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Export for another parent' }).click()
  const exported = JSON.parse(await readFile(await (await download).path(), 'utf8'))
  assert.equal(exported.name, 'shop')
  assert.equal(exported.resources.ipv4, '10.2.0.0/16')
})
