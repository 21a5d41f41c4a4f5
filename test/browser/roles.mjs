import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { accessible, apiOf, rowOf, token, until, visit } from './page.mjs'

// A server whose users have passwords, which are their names, and roles of its
// own.
const { OFFICE, OFFICE_PID, OFFICE_FILE, OFFICE_USERS } = process.env
const api = await apiOf(OFFICE)
const session = await (await apiOf(OFFICE, `Basic ${btoa('noc:noc')}`))('POST', '/auth/login')
const asNoc = await apiOf(OFFICE, `Bearer ${session.token}`)

// What noc may do on net1 alone. There is a net2 too.
const first = ['ca-read', 'login', 'pub-admin', 'pub-list', 'routes-read', 'routes-update']
const onNet1 = 'cas = ["net1"]'

// Gives noc a role, and waits until the server has read it.
async function setRole(permissions, cas) {
  const role = [`permissions = ${JSON.stringify(permissions)}`, ...(cas ? [cas] : [])].join(', ')
  await writeFile(OFFICE_FILE, `${OFFICE_USERS}[auth_roles]\nnoc = { ${role} }\nchief = { permissions = ["any"] }\n`)
  process.kill(Number(OFFICE_PID), 'SIGHUP')
  await until('the role is read', async () => (await asNoc('GET', '/api/v1/user')).permissions.join() === permissions.join())
}

async function enter(t, id) {
  const page = await visit(t, '/ui/login', { user: null, baseURL: OFFICE })
  await page.getByLabel('User').fill(id)
  await page.getByLabel('Password').fill(id)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByRole('button', { name: 'Log out' }).waitFor()
  return page
}

// The names of the buttons of a screen, once something on it is seen.
async function buttonsOf(page, path, shown) {
  await page.goto(path)
  await page.getByRole('main').getByText(shown).first().waitFor()
  return (await page.getByRole('main').getByRole('button').allTextContents()).map((b) => b.trim())
}

const heading = (page, name) => page.getByRole('heading', { name, exact: true, level: 1 }).waitFor()

test('a role of one\'s own shows what it lets do, on its CAs', async (t) => {
  if (!(await api('GET', '/api/v1/cas')).cas.some((c) => c.handle === 'net2')) await api('POST', '/api/v1/cas', { handle: 'net2' })
  await setRole(first, onNet1)
  const page = await enter(t, 'noc')
  await page.waitForURL('**/ui/cas/net1')
  await page.getByText('noc (noc)').waitFor()
  for (let turn = 0; turn < 2; turn++) {
    await page.getByText(/ROA objects? issued/).waitFor()
    const buttons = await page.getByRole('main').getByRole('button').allTextContents()
    for (const b of ['Add a ROA', 'Import', 'Download CSV', 'Refresh']) assert.ok(buttons.includes(b), b)
    assert.ok(!buttons.includes('Suggestions'))
    const tabs = await page.getByRole('navigation', { name: 'Screens of net1' }).getByRole('link').allTextContents()
    assert.deepEqual(tabs, ['ROAs', 'Parents', 'Repository', 'Children', 'Keys', 'Objects', 'History', 'Issues', 'Settings'])
    assert.deepEqual(await page.getByLabel('CA', { exact: true }).getByRole('option').allTextContents(), ['net1'])
    assert.equal(await page.getByRole('link', { name: 'New CA' }).count(), 0)
    if (turn === 0) await page.reload()
  }
  assert.deepEqual(await buttonsOf(page, '/ui/cas/net1/parents', 'in order'), [])
  assert.deepEqual(await buttonsOf(page, '/ui/cas/net1/keys', 'Resource class 0'), [])
  assert.deepEqual(await buttonsOf(page, '/ui/cas/net1/settings', 'Publishes below'), ['Export this as JSON'])
  assert.deepEqual(await buttonsOf(page, '/ui/cas/net1/issues', /ROA objects? issued/), ['Pause'])
  assert.deepEqual(await buttonsOf(page, '/ui/server', 'net1'), [])
  assert.equal(await page.getByRole('region', { name: 'Trust anchor' }).count(), 0)
  for (const path of ['/ui/cas/net1/aspas', '/ui/cas/net2', '/ui/cas/net2/parents', '/ui/onboarding']) {
    await page.goto(path)
    await heading(page, 'Not for you')
  }
  await accessible(page, 'denied')
})

test('rights that change while the page is open show at the first refusal', async (t) => {
  await setRole(first, onNet1)
  const page = await enter(t, 'noc')
  const add = page.getByRole('button', { name: 'Add a ROA' })
  const dialog = page.getByRole('dialog')
  for (const prefix of ['10.0.1.0/24', '10.0.2.0/24']) {
    await add.click()
    await dialog.getByLabel('ASN').fill('64496')
    await dialog.getByLabel('Prefix', { exact: true }).fill(prefix)
    await dialog.getByRole('button', { name: 'Add to the draft' }).click()
    await page.getByRole('button', { name: 'Review and apply' }).click()
    await dialog.getByText('Your role does not let you ask what this would do').waitFor()
    if (prefix === '10.0.2.0/24') await setRole(['aspas-read', 'ca-read', 'login', 'routes-read'], onNet1)
    const told = prefix === '10.0.2.0/24' && page.getByText('What you may do here was changed.').waitFor() // for a while
    await dialog.getByRole('button', { name: 'Apply 1 change' }).click()
    await told
    if (prefix === '10.0.1.0/24') await rowOf(page, prefix).getByRole('button', { name: /^Remove/ }).waitFor()
  }
  await dialog.getByRole('alert').filter({ hasText: "User 'noc' does not have permission 'routes-update' on resource 'net1'" }).waitFor()
  await dialog.getByRole('button', { name: 'Back' }).click()
  await page.getByRole('link', { name: 'ASPAs' }).waitFor()
  assert.equal(await add.count(), 0)
  assert.equal(await rowOf(page, '10.0.1.0/24').getByRole('button', { name: /^Remove/ }).count(), 0)
  await page.getByRole('region', { name: 'Draft' }).getByRole('button', { name: 'Discard' }).waitFor() // it is still there

  await setRole(['ca-read', 'login'])
  await page.getByRole('button', { name: 'Refresh' }).click()
  await heading(page, 'Not for you')
  await page.getByLabel('CA', { exact: true }).selectOption('net2') // it is bound to none any more
  await heading(page, 'Not for you')
  await page.getByRole('link', { name: 'Keys' }).click()
  await page.getByText('The CA has no resource class yet').waitFor()
  await setRole(['ca-delete', 'ca-read', 'login'])
  await page.reload()
  await page.getByRole('link', { name: 'Settings' }).click()
  await page.getByRole('button', { name: 'Delete net2' }).waitFor()
})

test('a session that is known by its token alone is asked about', async (t) => {
  const page = await visit(t, '/ui/login', { user: null, baseURL: OFFICE })
  await page.evaluate((token) => sessionStorage.setItem('baleenToken', token), token)
  let asked = 0
  await page.route('**/api/v1/user', (route) => (asked++ === 0 ? route.abort() : route.continue()))
  await page.goto('/ui/cas/net1/settings')
  await page.getByRole('alert').filter({ hasText: 'The server does not answer.' }).waitFor() // nothing is shown by guess
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByText('admin-token (admin)').waitFor()
  await page.getByRole('button', { name: 'Delete net1' }).waitFor()
})
