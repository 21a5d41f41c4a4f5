import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessible, api, rowOf, visit } from './page.mjs'
import { shop } from './shop.mjs'

test('a parent is asked again, is reached anew and is removed', async (t) => {
  await shop()
  const page = await visit(t, '/ui/cas/shop/parents')
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Refresh' }).click()
  await page.getByText('All parents are being asked again.').waitFor()
  const response = await api('GET', '/testbed/children/shop/parent_response.xml')
  await page.getByRole('button', { name: 'Replace response of upstream' }).click()
  await dialog.getByLabel('parent_response of').fill(response)
  await dialog.getByRole('button', { name: 'Replace' }).click()
  await page.getByText('The response of upstream was replaced.').waitFor()

  await page.getByRole('button', { name: 'Add a parent' }).click()
  await dialog.getByLabel('parent_response of').fill(response)
  await dialog.getByLabel('Name of the parent').fill('upstream')
  await dialog.getByText('There is a parent upstream already').waitFor()
  await dialog.getByLabel('Name of the parent').fill('second')
  await dialog.getByRole('button', { name: 'Add' }).click()
  await dialog.getByRole('alert').filter({ hasText: "already has a parent named 'upstream'" }).waitFor()
  const { id_cert } = await api('GET', '/api/v1/cas/shop/id/child_request.json')
  await api('POST', '/testbed/children', { handle: 'shop-again', id_cert, resources: { asn: '', ipv4: '10.3.0.0/16', ipv6: '' } })
  await dialog.getByLabel('parent_response of').fill(await api('GET', '/testbed/children/shop-again/parent_response.xml'))
  await dialog.getByRole('button', { name: 'Add' }).click()
  await page.getByRole('region', { name: 'second' }).getByRole('cell', { name: '10.3.0.0/16' }).waitFor() // it comes by itself
  await page.getByRole('button', { name: 'Remove the parent second' }).click()
  await dialog.getByText('closes the resource class 1').waitFor()
  await accessible(page, 'parent-remove')
  await dialog.getByRole('button', { name: 'Remove second' }).click()
  await page.getByText('The parent second was removed.').waitFor()
  assert.deepEqual(Object.keys(await api('GET', '/api/v1/cas/shop/parents')), ['upstream'])
})

test('a repository is compared, and left only with its successor at hand', async (t) => {
  await shop()
  const page = await visit(t, '/ui/cas/shop/repos')
  await page.getByText('in order').waitFor()
  await rowOf(page, '.mft').waitFor()
  await page.getByRole('button', { name: 'Compare now' }).click()
  await page.getByText('The repository is being compared').waitFor()
  await page.getByRole('button', { name: 'Move to another repository' }).click()
  const dialog = page.getByRole('dialog')
  const move = dialog.getByRole('button', { name: 'Move' })
  await dialog.getByLabel('repository_response of').fill(await dialog.getByLabel('1. Publisher request').inputValue())
  await dialog.getByText('This is a publisher_request; wanted is a repository_response.').waitFor()
  assert.ok(await move.isDisabled())
  await accessible(page, 'repository-move')
})

test('who may only read sees no buttons that change', async (t) => {
  await shop()
  const page = await visit(t)
  await page.getByText('admin-token (admin)').waitFor() // the name is asked for once, what one may do after every load
  const permissions = ['login', 'pub-list', 'pub-read', 'ca-list', 'ca-read', 'routes-read', 'routes-analysis', 'aspas-read', 'bgpsec-read']
  await page.route('**/api/v1/user', (route) => route.fulfill({ json: { id: 'reader', attributes: { role: 'readonly' }, permissions, cas: null } }))
  await page.reload()
  await page.getByText('admin-token (readonly)').waitFor()
  for (const [path, shown] of [
    ['parents', 'upstream'],
    ['repos', 'in order'],
    ['children', 'The CA has no children'],
    ['keys', 'Resource class 0'],
    ['settings', 'Publishes below'],
  ]) {
    await page.goto(`/ui/cas/shop/${path}`)
    await page.getByRole('main').getByText(shown).first().waitFor()
    const buttons = await page.getByRole('main').getByRole('button').allTextContents()
    assert.deepEqual(
      buttons.filter((b) => !['Download', 'Export this as JSON'].includes(b)),
      [],
      path,
    )
  }
})
