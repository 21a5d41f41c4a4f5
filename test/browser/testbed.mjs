import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessible, api, visit } from './page.mjs'

test('the testbed is used without a login', async (t) => {
  await api('POST', '/api/v1/cas', { handle: 'guest' })
  const [child, publisher] = await Promise.all(['child', 'publisher'].map((kind) => api('GET', `/api/v1/cas/guest/id/${kind}_request.xml`)))
  const page = await visit(t, '/ui/testbed', { user: null })
  await page.getByRole('link', { name: 'testbed.tal' }).waitFor()
  await accessible(page, 'testbed')
  await page.getByLabel('child_request of').fill(child)
  await page.getByLabel('IPv6').fill('2001:db8:1::/48')
  await page.getByRole('button', { name: 'Register' }).click()
  await page.getByText('is a child of the testbed').waitFor()
  await accessible(page, 'testbed-child')

  await page.getByRole('link', { name: 'Register publisher' }).click()
  for (const wanted of [/^guest$/, /^guest-\d+$/]) {
    await page.getByLabel('publisher_request of').fill(publisher)
    await page.getByRole('button', { name: 'Register' }).click()
    assert.match((await page.getByRole('status').locator('b').textContent()) ?? '', wanted) // the second finds its name taken
    await page.getByRole('button', { name: 'Register another publisher' }).click()
  }

  const dialog = page.getByRole('dialog')
  for (const [tab, kind] of [
    ['Remove CA', 'CA'],
    ['Remove publisher', 'publisher'],
  ]) {
    await page.getByRole('link', { name: tab }).click()
    await page.getByLabel(`Handle of the ${kind}`).fill('testbed')
    await page.getByRole('button', { name: 'Remove', exact: true }).click()
    await dialog.getByRole('button', { name: 'Remove testbed' }).click()
    await dialog.getByRole('alert').locator('code').waitFor() // it did not register itself
    if (kind === 'CA') await accessible(page, 'testbed-refused')
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    await page.getByLabel(`Handle of the ${kind}`).fill('guest')
    await page.getByRole('button', { name: 'Remove', exact: true }).click()
    await dialog.getByRole('button', { name: 'Remove guest' }).click()
    await page.getByText(`The ${kind} guest was removed.`).waitFor()
  }
  assert.ok(!(await api('GET', '/api/v1/pubd/publishers')).publishers.some((p) => p.handle === 'guest'))
})
