import assert from 'node:assert/strict'
import { test } from 'node:test'
import { api, rowOf, visit } from './page.mjs'

// One AS has 20,000 routes: one object is signed for them.
test('a CA with 20,000 ROAs is searched, sorted and changed', async (t) => {
  const routes = Array.from({ length: 20_000 }, (_, i) => ({ asn: 64496, prefix: `10.1.${i >> 8}.${i & 255}/32`, comment: i === 12_345 ? 'a needle' : null }))
  await api('PUT', '/api/v1/cas/ca2/routes', routes)
  const page = await visit(t, '/ui/cas/ca2')
  await page.getByText('1–25 of 20,000').waitFor()
  assert.equal(await page.getByRole('button', { name: /^Remove/ }).count(), 25)
  await page.getByLabel('Search').fill('needle')
  await page.getByText('1–1 of 1').waitFor()
  await rowOf(page, '10.1.48.57/32').waitFor()
  await page.getByLabel('Search').fill('10.1.5.0/24')
  await page.getByText('1–25 of 256').waitFor()
  await page.getByLabel('Search').fill('')
  await page.getByLabel('Rows').selectOption('500')
  await page.getByText('1–500 of 20,000').waitFor()
  await page.getByRole('button', { name: 'Prefix and maximum length' }).click()
  await page.getByRole('button', { name: 'Prefix and maximum length' }).click() // the last first
  await rowOf(page, '10.1.78.31/32-32').getByRole('button', { name: /^Remove/ }).click()
  await page.getByText('1 to remove').waitFor()
  await page.getByRole('button', { name: 'Review and apply' }).click()
  await page.getByRole('button', { name: 'Apply 1 change' }).click()
  await page.getByText('of 19,999').waitFor()
})
