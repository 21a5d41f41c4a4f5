import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessible, api, visit } from './page.mjs'
import { shop } from './shop.mjs'

test('keys are rolled in their stages', async (t) => {
  await shop()
  const page = await visit(t, '/ui/cas/shop/keys')
  const dialog = page.getByRole('dialog')
  const current = async () => Object.values((await api('GET', '/api/v1/cas/shop')).resource_classes['0'].keys)[0].active_key.key_id
  const before = await current()
  await page.getByText(before).waitFor()
  await accessible(page, 'keys')
  await page.getByRole('button', { name: 'Roll keys' }).click()
  await dialog.getByRole('button', { name: 'Roll keys' }).click()
  await page.getByText('roll: new key staged').waitFor()
  await page.getByRole('button', { name: 'Activate new keys' }).click()
  await dialog.getByText('RFC 6489 section 2 wants 24 hours').waitFor()
  await accessible(page, 'keys-activate')
  await dialog.getByRole('button', { name: 'Activate' }).click()
  await page.getByText('active', { exact: true }).waitFor()
  assert.notEqual(await current(), before)

  await api('POST', '/api/v1/cas', { handle: 'spare' })
  const identity = async () => (await api('GET', '/api/v1/cas/spare')).id_cert.hash
  const was = await identity()
  await page.goto('/ui/cas/spare/keys')
  await page.getByText(was).waitFor()
  await page.getByRole('button', { name: 'New identity' }).click()
  await dialog.getByRole('button', { name: 'New identity' }).click()
  await page.getByText('The CA has a new identity').waitFor()
  assert.notEqual(await identity(), was)
})
