// What arrives by itself moves nothing from under the pointer, and takes
// nothing from who is typing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { api, rowOf, visit } from './page.mjs'
import { shop } from './shop.mjs'

// Holds the answers to some requests back until they are let go, all at once.
// arrived resolves when the page has the first of them.
async function hold(page, path) {
  let letGo
  const gate = new Promise((go) => (letGo = go))
  await page.route(path, async (route) => {
    const response = await route.fetch()
    await gate
    await route.fulfill({ response })
  })
  return async () => {
    const answer = page.waitForResponse(path)
    letGo()
    await (await answer).finished()
    await page.evaluate(() => new Promise((shown) => setTimeout(() => requestAnimationFrame(shown), 100)))
    await page.unroute(path)
  }
}

async function press(page, button) {
  const box = await button.boundingBox()
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2)
  await page.mouse.down()
}

const top = async (locator) => (await locator.boundingBox()).y

test('an answer that comes while a button is pressed waits for the click', async (t) => {
  await api('PUT', '/api/v1/cas/ca2/routes', [{ asn: 64496, prefix: '10.1.5.0/24' }, { asn: 64496, prefix: '10.1.6.0/24' }])
  const page = await visit(t, '/ui/cas/ca2')
  const comment = page.getByRole('button', { name: 'Edit the comment of ROA 10.1.6.0/24 of AS64496' })
  await comment.waitFor()
  await api('POST', '/api/v1/cas/ca2/routes', { added: [{ asn: 64496, prefix: '10.1.1.0/24' }, { asn: 64496, prefix: '10.1.2.0/24' }], removed: [] })
  const release = await hold(page, '**/routes/analysis/full*')
  await page.getByRole('button', { name: 'Refresh' }).click()
  await press(page, comment)
  await release()
  assert.equal(await rowOf(page, '10.1.1.0/24').count(), 0)
  await page.mouse.up()
  await page.getByRole('dialog').getByText('10.1.6.0/24-24 => AS64496').waitFor()
  await rowOf(page, '10.1.1.0/24').waitFor({ state: 'attached' })
})

test('what signing and failing have to say moves no row', async (t) => {
  await api('PUT', '/api/v1/cas/ca2/routes', [{ asn: 64496, prefix: '10.1.5.0/24' }])
  const page = await visit(t, '/ui/')
  let issued = { wanted: 1, issued: 1, withdraw: 0, paused: false }
  await page.route('**/api/v1/cas/ca2/issuing', (route) => route.fulfill({ json: issued }))
  await page.goto('/ui/cas/ca2')
  const remove = page.getByRole('button', { name: 'Remove ROA 10.1.5.0/24 of AS64496' })
  await page.getByText('Signed: 1 of 1').waitFor()
  const before = await top(remove)
  issued = { wanted: 3, issued: 1, withdraw: 2, paused: false }
  await page.getByRole('button', { name: 'Refresh' }).click()
  await page.getByText('Signing: 1 of 3 ROA objects issued, 2 to be withdrawn').waitFor()
  assert.equal(await top(remove), before)
  await page.route('**/routes/analysis/full*', (route) => route.abort())
  await page.getByRole('button', { name: 'Refresh' }).click()
  await page.getByRole('alert').filter({ hasText: 'The server does not answer.' }).waitFor()
  assert.equal(await top(remove), before)

  await shop()
  await page.goto('/ui/cas/shop/aspas')
  const button = page.getByRole('button', { name: 'Add an ASPA' })
  await page.getByText('There is none yet').waitFor()
  const text = await top(page.getByText('There is none yet'))
  await page.route('**/api/v1/cas/shop/aspas', (route) => (route.request().method() === 'GET' ? route.abort() : route.continue()))
  await button.click()
  await page.getByRole('dialog').getByLabel('Customer AS').fill('AS64510')
  await page.getByRole('dialog').getByLabel('All its providers').fill('AS1')
  await page.getByRole('dialog').getByRole('button', { name: 'Add' }).click()
  await page.getByRole('alert').filter({ hasText: 'The server does not answer.' }).waitFor()
  assert.equal(await top(page.getByText('There is none yet')), text)
  await page.unroute('**/api/v1/cas/shop/aspas')
  await page.getByRole('button', { name: 'Try again' }).click()
  await rowOf(page, 'AS64510').waitFor()
  assert.equal(await page.getByRole('alert').filter({ hasText: 'does not answer' }).count(), 0)
  await api('PUT', '/api/v1/cas/shop/aspas', [])
})

test('the buttons of a dialog stay where they are while it fills', async (t) => {
  await api('PUT', '/api/v1/cas/ca2/routes', [{ asn: 64496, prefix: '10.1.5.0/24' }])
  const page = await visit(t, '/ui/cas/ca2')
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Remove ROA 10.1.5.0/24 of AS64496' }).click()
  const answer = await hold(page, '**/routes/analysis/dryrun*')
  await page.getByRole('button', { name: 'Review and apply' }).click()
  await dialog.getByText('Asking what this would do').waitFor()
  const back = dialog.getByRole('button', { name: 'Back' })
  const before = await top(back)
  await answer()
  await dialog.getByText('No announcement that is seen changes').waitFor()
  assert.equal(await top(back), before)
  await back.click()

  await shop()
  await page.goto('/ui/cas/shop/parents')
  await page.getByRole('region', { name: 'upstream' }).waitFor()
  const request = await hold(page, '**/id/child_request.xml')
  await page.getByRole('button', { name: 'Add a parent' }).click()
  const field = dialog.getByLabel('parent_response of')
  await field.fill('half typed')
  const place = await top(field)
  await request()
  await dialog.getByLabel('1. Child request').waitFor()
  assert.equal(await top(field), place)
  assert.equal(await field.inputValue(), 'half typed')
})

test('a field that is typed in stays, whatever it finds', async (t) => {
  await api('POST', '/api/v1/cas', { handle: 'pupil' })
  await api('POST', '/api/v1/cas/ca2/children', { handle: 'pupil', id_cert: (await api('GET', '/api/v1/cas/pupil/id/child_request.json')).id_cert, resources: { asn: '', ipv4: '10.1.0.0/24', ipv6: '' } })
  const page = await visit(t, '/ui/cas/ca2/children')
  const focus = () => page.evaluate(() => document.activeElement?.tagName)
  await page.getByLabel('Handle begins with').fill('z')
  await page.getByText('0 children').waitFor()
  await page.keyboard.press('Backspace') // another answer is still to come
  assert.equal(await focus(), 'INPUT')
  await page.keyboard.type('pup')
  await page.getByText('1 child', { exact: true }).waitFor()
  assert.equal(await page.getByLabel('Handle begins with').inputValue(), 'pup')
  await api('DELETE', '/api/v1/cas/ca2/children/pupil')

  await shop()
  await page.goto('/ui/cas/shop/objects')
  await page.getByRole('button', { name: 'Add a record' }).click()
  await page.getByText('Postal address').click()
  await page.getByLabel('Town').pressSequentially('A')
  await page.keyboard.press('Backspace')
  assert.equal(await focus(), 'INPUT')
  assert.ok(await page.getByLabel('Town').isVisible())
})

test('who uses the keyboard goes on where they were refused', async (t) => {
  await shop()
  const page = await visit(t, '/ui/cas/shop/aspas')
  await page.getByRole('button', { name: 'Add an ASPA' }).click()
  await page.getByLabel('Customer AS').fill('AS1')
  await page.getByLabel('All its providers').fill('AS2')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').filter({ hasText: 'is not held by you' }).waitFor()
  await page.waitForFunction(() => document.activeElement?.textContent === 'Add')
})

test('a double click does one step', async (t) => {
  await shop()
  const page = await visit(t, '/ui/cas/shop/aspas')
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Import' }).click()
  await dialog.getByLabel('or its text').fill('customer,providers\n64510,1\n')
  await press(page, dialog.getByRole('button', { name: 'Show difference' }))
  await page.mouse.up()
  await dialog.getByText('1 added').waitFor()
  await page.mouse.down({ clickCount: 2 }) // Apply is there now
  await page.mouse.up({ clickCount: 2 })
  assert.deepEqual(await api('GET', '/api/v1/cas/shop/aspas'), [])
  await dialog.getByRole('button', { name: 'Apply' }).click()
  await dialog.waitFor({ state: 'hidden' }) // the difference in it has that row too
  await rowOf(page, 'AS64510').waitFor()
  await api('PUT', '/api/v1/cas/shop/aspas', [])
})
