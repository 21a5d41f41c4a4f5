import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { accessible, api, rowOf, visit } from './page.mjs'
import { shop } from './shop.mjs'

const open = async (t) => {
  await shop()
  const page = await visit(t, '/ui/cas/shop/objects')
  return { page, dialog: page.getByRole('dialog') }
}

test('a Ghostbusters record is added, replaced and removed', async (t) => {
  const { page, dialog } = await open(t)
  await page.getByRole('button', { name: 'Add a record' }).click()
  await dialog.getByLabel('Name of the record').fill('noc')
  await dialog.getByLabel('Person or role').fill('Network Operations')
  await dialog.getByRole('button', { name: 'Add' }).click()
  await dialog.getByRole('alert').getByText('ca-ghostbusters-invalid').waitFor() // nobody could be reached
  await accessible(page, 'ghostbusters-refused')
  await dialog.getByLabel('Email').fill('noc@example.net')
  await dialog.getByRole('button', { name: 'Add' }).click()
  await page.getByRole('button', { name: 'Edit noc' }).click()
  await dialog.getByLabel('Organization').fill('Example')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await rowOf(page, 'noc.gbr').getByText('Example · noc@example.net').waitFor()
  const [record] = await api('GET', '/api/v1/cas/shop/ghostbusters')
  assert.deepEqual(record, { name: 'noc', contact: { fn: 'Network Operations', org: 'Example', email: ['noc@example.net'] } })
  await page.getByRole('button', { name: 'Remove noc' }).click()
  await dialog.getByRole('button', { name: 'Remove' }).click()
  await page.getByText('A record tells everybody whom to call').waitFor()
})

test('files are signed without leaving the browser', async (t) => {
  const { page, dialog } = await open(t)
  const sent = []
  page.on('request', (r) => r.method() === 'POST' && sent.push(r.postData()))
  await page.getByRole('button', { name: 'Sign files' }).click()
  const letter = Buffer.from('we may announce 10.2.0.0/24')
  await dialog.getByLabel('Files').setInputFiles({ name: 'my letter.txt', mimeType: 'text/plain', buffer: letter })
  await dialog.getByText("'my letter.txt'").waitFor()
  assert.ok(await dialog.getByRole('button', { name: 'Sign and download' }).isDisabled())
  await dialog.getByLabel('Files').setInputFiles({ name: 'letter.txt', mimeType: 'text/plain', buffer: letter })
  await dialog.getByLabel('IPv4').fill('10.2.0.0/24')
  await accessible(page, 'checklist')
  const download = page.waitForEvent('download')
  await dialog.getByRole('button', { name: 'Sign and download' }).click()
  const signed = await readFile(await (await download).path())
  await rowOf(page, 'letter.txt').waitFor()
  const [list] = await api('GET', '/api/v1/cas/shop/rscs')
  assert.deepEqual(list.files, [{ name: 'letter.txt', hash: createHash('sha256').update(letter).digest('hex') }])
  assert.equal(createHash('sha256').update(signed).digest('hex'), list.hash)
  assert.ok(sent.every((body) => !body.includes('we may announce')))

  const again = page.waitForEvent('download')
  await page.getByRole('button', { name: `Download ${list.serial}` }).click()
  assert.deepEqual(await readFile(await (await again).path()), signed)
  await accessible(page, 'objects')
  await page.getByRole('button', { name: `Revoke ${list.serial}` }).click()
  await dialog.getByRole('button', { name: 'Revoke' }).click()
  await page.getByText('It is handed out, not published.').waitFor()
})

test('a router key that is no request is refused', async (t) => {
  const { page, dialog } = await open(t)
  await page.getByRole('button', { name: 'Add a router key' }).click()
  await dialog.getByLabel('AS number of the router').fill('AS64510')
  await dialog.getByLabel('Its certificate request').fill('AAAA')
  await dialog.getByRole('button', { name: 'Add' }).click()
  await dialog.getByRole('alert').locator('code').waitFor()
  assert.deepEqual(await api('GET', '/api/v1/cas/shop/bgpsec'), [])
})
