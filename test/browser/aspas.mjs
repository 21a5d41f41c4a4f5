import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessible, api, rowOf, visit } from './page.mjs'
import { shop } from './shop.mjs'

const aspas = async () => (await api('GET', '/api/v1/cas/shop/aspas')).map((a) => `${a.customer}: ${a.providers.join(' ')}`)

test('ASPAs are added, edited and deleted', async (t) => {
  await shop()
  const page = await visit(t, '/ui/cas/shop/aspas')
  const dialog = page.getByRole('dialog')
  await page.getByText('There is none yet').waitFor()
  await page.getByRole('button', { name: 'Add an ASPA' }).click()
  await dialog.getByLabel('Customer AS').fill('AS1')
  await dialog.getByLabel('All its providers').fill('65000, AS65001')
  await dialog.getByRole('button', { name: 'Add' }).click()
  await dialog.getByRole('alert').filter({ hasText: "Customer AS 'AS1' is not held by you" }).waitFor()
  await accessible(page, 'aspa-refused')
  await dialog.getByLabel('Customer AS').fill('AS64510')
  await dialog.getByRole('button', { name: 'Add' }).click()
  await rowOf(page, 'AS64510').getByText('AS65001').waitFor()

  await page.getByRole('button', { name: 'Edit the providers of AS64510' }).click()
  await dialog.getByLabel('All its providers').fill('65001 65002')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await rowOf(page, 'AS64510').getByText('AS65002').waitFor()
  assert.deepEqual(await aspas(), ['64510: 65001 65002'])

  await page.getByRole('button', { name: 'Delete the ASPA of AS64510' }).click()
  await page.keyboard.press('Escape') // nothing is done
  await page.getByRole('button', { name: 'Delete the ASPA of AS64510' }).click()
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await page.getByText('There is none yet').waitFor()
  assert.deepEqual(await aspas(), [])
})

test('a whole configuration is compared before it is taken', async (t) => {
  await shop()
  await api('PUT', '/api/v1/cas/shop/aspas', [
    { customer: 64510, providers: [1] },
    { customer: 64511, providers: [2] },
  ])
  const page = await visit(t, '/ui/cas/shop/aspas')
  await page.getByRole('button', { name: 'Import' }).click()
  await page.getByLabel('or its text').fill('customer,providers\n64510,1 3\n64512,4\n')
  await page.getByRole('button', { name: 'Show difference' }).click()
  await page.getByText('1 added, 1 changed, 1 deleted, 0 unchanged.').waitFor()
  await accessible(page, 'aspa-import')

  // Others may have been faster: then nothing is done, and one looks again.
  await api('POST', '/api/v1/cas/shop/aspas', { add_or_replace: [{ customer: 64513, providers: [5] }], remove: [] })
  await page.getByRole('button', { name: 'Apply' }).click()
  await page.getByText('Somebody changed the ASPAs meanwhile').waitFor()
  assert.equal((await aspas()).length, 3)
  await page.getByText('1 added, 1 changed, 2 deleted').waitFor()
  await page.getByRole('button', { name: 'Apply' }).click()
  await page.getByRole('dialog').waitFor({ state: 'hidden' }) // the difference in it has that row too
  await rowOf(page, 'AS64512').waitFor()
  assert.deepEqual(await aspas(), ['64510: 1 3', '64512: 4'])
  await accessible(page, 'aspas')
})
