import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessible, api, routesOf, rowOf, until, visit } from './page.mjs'

const heading = (page, name) => page.getByRole('heading', { name, exact: true }).waitFor()

// What the testbed answers to a request, asked by somebody without a login.
async function register(t, path, request, fill = async () => {}) {
  const page = await visit(t, path, { user: null })
  await page.getByRole('textbox').first().fill(request)
  await fill(page)
  await page.getByRole('button', { name: 'Register' }).click()
  return page.getByRole('textbox', { name: /response for/ }).inputValue()
}

test('a CA is set up through the page, from its name to its first ROA', async (t) => {
  const page = await visit(t, '/ui/onboarding')
  await page.getByLabel('Handle').fill('first')
  await accessible(page, 'onboarding')
  await page.getByRole('button', { name: 'Create' }).click()

  await heading(page, 'Repository')
  const publisher = await page.getByLabel('1. Publisher request').inputValue()
  await accessible(page, 'repository-none')
  const answer = page.getByLabel('repository_response of')
  await answer.fill(publisher)
  await page.getByText('This is a publisher_request; wanted is a repository_response.').waitFor()
  assert.ok(await page.getByRole('button', { name: 'Confirm' }).isDisabled())
  const repository = await register(t, '/ui/testbed/register-publisher', publisher)
  await answer.fill(repository)
  await page.getByRole('button', { name: 'Confirm' }).click()
  await page.getByText('rsync://localhost/repo/first/').waitFor()

  await page.getByRole('link', { name: 'Parents' }).click()
  await page.getByText('The CA has no parent yet').waitFor()
  await page.getByRole('button', { name: 'Add a parent' }).click()
  const child = await page.getByLabel('1. Child request').inputValue()
  await accessible(page, 'parent-add')
  const parent = await register(t, '/ui/testbed', child, async (testbed) => {
    await testbed.getByLabel('AS numbers').fill('AS64510-AS64520')
    await testbed.getByLabel('IPv4').fill('10.4.0.0/16')
  })
  await page.getByLabel('parent_response of').fill(parent)
  await page.getByLabel('Name of the parent').fill('upstream')
  await page.getByRole('dialog').getByRole('button', { name: 'Add' }).click()
  const section = page.getByRole('region', { name: 'upstream' })
  await section.getByText('in order').waitFor() // it comes by itself
  await section.getByRole('cell', { name: '10.4.0.0/16' }).waitFor()
  await accessible(page, 'parents')

  await page.getByRole('link', { name: 'ROAs' }).click()
  await page.getByRole('button', { name: 'Add a ROA' }).click()
  await page.getByLabel('ASN').fill('64510')
  await page.getByLabel('Prefix', { exact: true }).fill('10.4.0.0/24')
  await page.getByRole('button', { name: 'Add to the draft' }).click()
  await page.getByRole('button', { name: 'Review and apply' }).click()
  await page.getByRole('button', { name: 'Apply 1 change' }).click()
  await page.getByText('1 change was made.').first().waitFor()
  assert.deepEqual(await routesOf('first'), ['10.4.0.0/24-24 => 64510'])
  assert.equal(await page.title(), 'ROAs of first – Baleen')
  await until('the ROA is published', async () => (await api('GET', '/api/v1/pubd/publishers/first')).current_files.some((f) => f.uri.endsWith('.roa')))

  await page.getByRole('link', { name: 'Repository' }).click()
  await heading(page, 'Repository')
  await page.getByText(/^Published: /).waitFor()
  const shown = async () => (await rowOf(page, '.roa').count()) === 1
  for (let tries = 0; !(await shown()) && tries < 10; tries++) {
    const settled = page.waitForResponse('**/repo/status')
    await page.getByRole('button', { name: 'Compare now' }).click()
    await settled
    await page.getByText(/^Published: /).waitFor()
  }
  assert.ok(await shown(), 'the ROA is published')
  await page.getByText('in order').waitFor()
  await accessible(page, 'repository')
})
