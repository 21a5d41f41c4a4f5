import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accessible, api, rowOf, until, visit } from './page.mjs'

// From nothing to a published ROA, with the page alone: the operator's CA on
// one side, the testbed as repository and parent on the other.
test('an operator has a first day', async (t) => {
  const page = await visit(t, '/ui/onboarding')
  const other = await visit(t, '/ui/testbed/register-publisher', { user: null })

  await page.getByLabel('Handle').fill('first')
  await accessible(page, 'onboarding')
  await page.getByRole('button', { name: 'Create' }).click()
  await page.waitForURL('**/ui/cas/first/repos')
  await accessible(page, 'repository-empty')
  const publisherRequest = await page.getByLabel(/Publisher request/).inputValue()

  await other.getByLabel('publisher_request of your CA').fill('<nonsense/>')
  await other.getByText('This is not a set-up document').waitFor()
  await other.getByLabel('publisher_request of your CA').fill(publisherRequest)
  await accessible(other, 'testbed')
  await other.getByRole('button', { name: 'Register' }).click()
  const repositoryResponse = await other.getByLabel(/Repository response/).inputValue()

  await page.getByLabel('repository_response of the publication server').fill(repositoryResponse)
  await page.getByRole('button', { name: 'Confirm' }).click()
  await page.getByText('The CA publishes in this repository').waitFor()

  await page.getByRole('link', { name: 'ROAs' }).click()
  await page.getByRole('link', { name: 'Add a parent' }).click()
  await page.getByRole('button', { name: /Add parent/ }).click()
  const childRequest = await page.getByLabel(/Child request/).inputValue()

  await other.goto('/ui/testbed')
  await other.getByLabel('child_request of your CA').fill(childRequest)
  await other.getByLabel('AS numbers').fill('AS64510')
  await other.getByLabel('IPv4').fill('10.2.0.0/16')
  await other.getByRole('button', { name: 'Register' }).click()
  const parentResponse = await other.getByLabel(/Parent response/).inputValue()

  await page.getByLabel('parent_response of the parent').fill(parentResponse)
  await accessible(page, 'add-parent')
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await page.getByText('10.2.0.0/16').first().waitFor({ timeout: 20_000 })

  await page.getByRole('link', { name: 'ROAs' }).click()
  await page.getByRole('button', { name: 'Add a ROA' }).click()
  await page.getByLabel('ASN').fill('AS64510')
  await page.getByLabel('Prefix', { exact: true }).fill('10.2.0.0/16')
  await page.getByRole('button', { name: 'Add to the draft' }).click()
  await page.getByRole('button', { name: 'Review and apply' }).click()
  await page.getByRole('button', { name: 'Apply 1 change' }).click()
  await rowOf(page, '10.2.0.0/16-16').waitFor()

  await until('the ROA is published', async () => {
    const { current_files } = await api('GET', '/api/v1/pubd/publishers/first')
    return current_files.some((f) => f.uri.endsWith('.roa'))
  })
  await page.getByRole('link', { name: 'Repository' }).click()
  await page.getByText(/\.roa$/).first().waitFor()
  assert.equal(await page.title(), 'Repository of first – Baleen')
})
