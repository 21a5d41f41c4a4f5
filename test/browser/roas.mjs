import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { accessible, api, routesOf, rowOf, until, visit } from './page.mjs'

const shows = (page, text) => page.getByText(text).first().waitFor()
const analysis = '/api/v1/cas/ca1/routes/analysis/full?objects=false'

test('ROAs are added, commented and removed as one draft', async (t) => {
  await until('announcements are compared', async () => (await api('GET', analysis)).some((e) => e.state === 'announcement_not_found'))
  const page = await visit(t, '/ui/cas/ca1')
  await rowOf(page, '2001:db8::/32').getByText('Not found').waitFor()
  await accessible(page, 'roas-empty')

  // For an announcement, with what it would do.
  await page.getByRole('button', { name: 'Add a ROA for announcement 10.0.0.0/22 of AS64496' }).click()
  await shows(page, '10.0.0.0/22 by AS64496')
  await shows(page, '1 announcement becomes valid')
  await shows(page, '3 announcements become invalid')
  await page.getByRole('textbox', { name: 'Comment' }).fill('core')
  await accessible(page, 'add')
  await page.getByRole('button', { name: 'Add to the draft' }).click()
  await page.getByRole('dialog').waitFor({ state: 'hidden' })

  // By hand, with faults beside their fields.
  await page.getByRole('button', { name: 'Add a ROA', exact: true }).click()
  await page.getByLabel('ASN').fill('x')
  await page.getByLabel('Prefix', { exact: true }).fill('10.0.5.1/24')
  await page.getByLabel('Maximum length').fill('23')
  await page.getByRole('button', { name: 'Add to the draft' }).click()
  await shows(page, 'did you mean 10.0.5.0/24?')
  await shows(page, 'An AS number is from 0')
  assert.equal(await page.getByLabel('Prefix', { exact: true }).getAttribute('aria-invalid'), 'true')
  await accessible(page, 'add-faults')
  await page.getByLabel('ASN').fill('AS64500')
  await page.getByLabel('Prefix', { exact: true }).fill('10.0.5.0/24')
  await page.getByLabel('Maximum length').fill('')
  // The field is left as the button is pressed: what is shown then must not
  // take the button from under the pointer.
  await page.getByRole('button', { name: 'Add to the draft' }).click({ delay: 1000 })
  await shows(page, '2 to add')
  assert.deepEqual(await routesOf('ca1'), [])

  await page.getByRole('button', { name: 'Review and apply' }).click()
  await shows(page, '1 announcement becomes valid')
  await accessible(page, 'review')
  await page.getByRole('button', { name: 'Apply 2 changes' }).click()
  await shows(page, '2 changes were made.')
  await rowOf(page, '10.0.0.0/22-22').getByText('Seen').waitFor()
  assert.deepEqual(await routesOf('ca1'), ['10.0.0.0/22-22 => 64496 # core', '10.0.5.0/24-24 => 64500'])
  await page.getByRole('region', { name: 'Draft' }).waitFor({ state: 'hidden' })

  // What is signed shows behind the row.
  await page.getByRole('button', { name: 'Details of ROA 10.0.0.0/22 of AS64496' }).click()
  await shows(page, 'Authorises (1)')
  await shows(page, 'Makes invalid (3)')
  await until('the ROA is issued', async () => (await api('GET', '/api/v1/cas/ca1/issuing')).issued === 2)
  await page.reload()
  await page.getByRole('button', { name: 'Details of ROA 10.0.0.0/22 of AS64496' }).click()
  await shows(page, /^rsync:.*\.roa$/)
  await accessible(page, 'details')

  // Another comment, a removal, a change of mind.
  await page.getByRole('button', { name: 'Edit the comment of ROA 10.0.0.0/22 of AS64496' }).click()
  await page.getByRole('textbox', { name: 'Comment' }).fill('core network')
  await page.getByRole('button', { name: 'Change in the draft' }).click()
  await page.getByRole('button', { name: 'Remove ROA 10.0.5.0/24 of AS64500' }).click()
  await shows(page, '1 to remove, 1 with a new comment')
  await page.keyboard.press('Enter') // the focus is on Undo
  await shows(page, /^Draft: 1 with a new comment$/)
  await page.getByRole('button', { name: 'Remove ROA 10.0.5.0/24 of AS64500' }).click()
  await page.reload() // the draft stays
  await page.getByRole('button', { name: 'Review and apply' }).click()
  await page.getByRole('button', { name: 'Apply 2 changes' }).click()
  await shows(page, '2 changes were made.')
  assert.deepEqual(await routesOf('ca1'), ['10.0.0.0/22-22 => 64496 # core network'])
})

test('what the server refuses is told by line, and nothing is done', async (t) => {
  await api('PUT', '/api/v1/cas/ca1/routes', [{ asn: 64496, prefix: '10.0.0.0/22', comment: 'core network' }, { asn: 64499, prefix: '10.0.7.0/24' }])
  const page = await visit(t, '/ui/cas/ca1')
  await page.getByRole('button', { name: 'Remove ROA 10.0.7.0/24 of AS64499' }).click()
  await page.getByRole('button', { name: 'Remove ROA 10.0.0.0/22 of AS64496' }).click()
  await api('POST', '/api/v1/cas/ca1/routes', { added: [], removed: [{ asn: 64499, prefix: '10.0.7.0/24' }] }) // somebody else was faster
  await page.getByRole('button', { name: 'Review and apply' }).click()
  await page.getByRole('alert').filter({ hasText: '1 line is refused' }).waitFor()
  await rowOf(page.getByRole('dialog'), '10.0.7.0/24').getByText('is not configured').waitFor()
  assert.ok(await page.getByRole('button', { name: 'Apply 2 changes' }).isDisabled())
  await accessible(page, 'refused')
  await page.getByRole('button', { name: 'Take out 10.0.7.0/24 of AS64499' }).click()
  await shows(page, '4 announcements are no longer covered')
  await page.keyboard.press('Escape')
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Review and apply')
  await page.getByRole('button', { name: 'Discard' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click()
  await page.getByRole('region', { name: 'Draft' }).waitFor({ state: 'hidden' })
  assert.deepEqual(await routesOf('ca1'), ['10.0.0.0/22-22 => 64496 # core network'])
})

test('suggestions add what is announced and replace what allows too much', async (t) => {
  await api('PUT', '/api/v1/cas/ca1/routes', [{ asn: 64496, prefix: '10.0.0.0/22', max_length: 24, comment: 'wide' }, { asn: 64500, prefix: '10.0.9.0/24' }])
  const page = await visit(t, '/ui/cas/ca1')
  await rowOf(page, '10.0.0.0/22-24').getByText('Too permissive').waitFor()
  await page.getByRole('button', { name: 'Suggestions' }).click()
  const dialog = page.getByRole('dialog')
  assert.ok(await dialog.getByLabel('10.0.0.0/22-24 => 64496').isChecked())
  assert.ok(!(await dialog.getByLabel('10.0.0.0/22 by AS64497').isChecked())) // somebody must know that it is rightful
  await dialog.getByLabel('10.0.0.0/22 by AS64497').check()
  await accessible(page, 'suggestions')
  await dialog.getByRole('button', { name: 'Add 2 to the draft' }).click()
  await shows(page, '1 announcement becomes valid')
  await page.getByRole('button', { name: /^Apply/ }).click()
  await shows(page, /changes were made/)
  assert.deepEqual(await routesOf('ca1'), [
    '10.0.0.0/22-22 => 64496 # wide',
    '10.0.0.0/22-22 => 64497',
    '10.0.0.0/24-24 => 64496 # wide',
    '10.0.2.0/23-23 => 64496 # wide',
    '10.0.9.0/24-24 => 64500',
  ])
})

test('a whole configuration is compared before it is made', async (t) => {
  const page = await visit(t, '/ui/cas/ca1')
  await page.getByRole('button', { name: 'Import' }).click()
  await page.getByLabel('Or its text').fill('prefix,max_length,asn\n')
  await page.getByRole('button', { name: 'Compare' }).click()
  await page.getByRole('alert').filter({ hasText: 'at line 1' }).waitFor()
  await accessible(page, 'import')
  await page.getByLabel('Or its text').fill('prefix,max_length,asn,comment\n10.0.0.0/22,,64496,core\n11.0.0.0/22,,64496,\n')
  await page.getByRole('button', { name: 'Compare' }).click()
  await page.getByRole('alert').filter({ hasText: 'See line 3' }).waitFor()

  await page.getByLabel('A file').setInputFiles({ name: 'roas.csv', mimeType: 'text/csv', buffer: Buffer.from('prefix,max_length,asn,comment\n10.0.0.0/22,,64496,core\n10.0.8.0/24,,64500,"a, b"\n') })
  await shows(page, '1 added')
  await shows(page, '4 removed')
  await accessible(page, 'import-difference')
  await api('POST', '/api/v1/cas/ca1/routes', { added: [{ asn: 1, prefix: '10.0.10.0/24' }], removed: [] })
  await page.getByRole('button', { name: 'Apply 6 changes' }).click()
  await page.getByRole('alert').filter({ hasText: 'Somebody changed the ROAs meanwhile' }).waitFor()
  await page.getByRole('button', { name: 'Apply 7 changes' }).click()
  await shows(page, '1 ROAs were added, 5 removed')
  assert.deepEqual(await routesOf('ca1'), ['10.0.0.0/22-22 => 64496 # core', '10.0.8.0/24-24 => 64500 # a, b'])

  const download = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Download CSV' }).click()
  const file = await download
  assert.equal(file.suggestedFilename(), 'ca1-roas.csv')
  assert.equal(await readFile(await file.path(), 'utf8'), 'prefix,max_length,asn,comment\n10.0.0.0/22,22,64496,core\n10.0.8.0/24,24,64500,"a, b"\n')
})
