import { test } from 'node:test'
import { accessible, visit } from './page.mjs'

// Every other screen loads without a fault and without barriers; what is done
// there has tests of its own beside what decides it.
test('every screen can be used by everybody', async (t) => {
  const page = await visit(t, '/ui/cas/testbed')
  for (const title of ['ASPAs', 'Parents', 'Repository', 'Children', 'Keys', 'Objects', 'History', 'Issues', 'Settings']) {
    await page.getByRole('navigation', { name: /^Screens of/ }).getByRole('link', { name: title }).click()
    await page.getByRole('heading', { level: 1 }).waitFor()
    await page.waitForLoadState('networkidle')
    await accessible(page, title.toLowerCase())
  }
  await page.getByRole('link', { name: 'Server' }).click()
  await page.waitForLoadState('networkidle')
  await accessible(page, 'server')
})
