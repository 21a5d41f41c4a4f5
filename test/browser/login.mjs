import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessible, logIn, token, visit } from './page.mjs'

test('a wrong token is refused, the right one leads to a CA', async (t) => {
  const page = await visit(t, '/', { user: null })
  await page.waitForURL('**/ui/login')
  await page.getByLabel('Token').fill('wrong')
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByRole('alert').filter({ hasText: 'Invalid credentials' }).waitFor()
  await accessible(page, 'login')
  await page.getByLabel('Token').fill(token)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'ROAs' }).waitFor()
  assert.match(page.url(), /\/ui\/cas\/ca1$/)
  await page.getByText('admin-token (admin)').waitFor()

  await page.getByLabel('CA', { exact: true }).selectOption('ca2')
  await page.waitForURL('**/ui/cas/ca2')
  await page.goto('/ui/')
  await page.waitForURL('**/ui/cas/ca2') // it was looked at last
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.waitForURL('**/ui/login')
  await page.goto('/ui/cas/ca1')
  await page.waitForURL('**/ui/login')
})

test('a session that ends leads back to where one was, with the draft', async (t) => {
  const page = await visit(t, '/ui/cas/ca2')
  await page.getByRole('button', { name: 'Add a ROA' }).click()
  await page.getByLabel('ASN').fill('64500')
  await page.getByLabel('Prefix', { exact: true }).fill('10.1.0.0/24')
  await page.getByRole('button', { name: 'Add to the draft' }).click()
  await page.getByText('1 to add').waitFor()
  await page.route('**/api/v1/**', (route) => route.fulfill({ status: 401, json: { label: 'auth-session-expired', msg: 'Session expired', args: {} } }))
  await page.getByRole('button', { name: 'Refresh' }).click()
  await page.waitForURL('**/ui/login')
  await page.unroute('**/api/v1/**')
  await page.getByLabel('Token').fill(token)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.waitForURL('**/ui/cas/ca2')
  await page.getByText('1 to add').waitFor()
})

test('what a provider brings back leaves the address at once', async (t) => {
  const page = await visit(t, '/ui/', { user: null })
  const base64 = (v) => Buffer.from(JSON.stringify(v)).toString('base64')
  await page.goto('/ui/login?' + new URLSearchParams({ error: base64({ label: 'api-auth-login-error', msg: 'Nobody knows you.', args: {} }) }))
  await page.getByRole('alert').filter({ hasText: 'Nobody knows you.' }).waitFor()
  assert.equal(new URL(page.url()).search, '')
  await page.goto('/ui/login?' + new URLSearchParams({ error: 'garbage' }))
  await page.getByRole('alert').waitFor()
  assert.equal(new URL(page.url()).search, '')
  await page.goto('/ui/login?' + new URLSearchParams({ token, id: 'alice', attributes: base64({ role: 'admin' }) }))
  await page.getByText('alice (admin)').waitFor()
  assert.ok(!page.url().includes(token))
})

test('the page works without a mouse and on a narrow screen', async (t) => {
  const page = await visit(t, '/ui/', { user: null, viewport: { width: 380, height: 700 } })
  await logIn(page, token)
  await page.getByRole('heading', { name: 'ROAs' }).waitFor()
  await page.getByRole('table').waitFor()
  const wide = await page.evaluate(() => [...document.querySelectorAll('*')].filter((e) => !e.closest('.scroll') && e.getBoundingClientRect().right > innerWidth).map((e) => e.outerHTML.slice(0, 200)))
  assert.deepEqual(wide, [])
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0)
  await page.goto('/ui/nowhere')
  await page.getByRole('heading', { name: 'Nothing is here' }).waitFor()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter') // to the content
  assert.equal(await page.evaluate(() => location.hash), '#main')
})
