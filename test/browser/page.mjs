// What all scripts need: a page that is watched for faults, and the API beside
// it.
import assert from 'node:assert/strict'
import axe from 'axe-core'
import { chromium, request } from 'playwright-core'

const { SERVER, TOKEN, BROWSER, SHOTS } = process.env
export const token = TOKEN

// Bounds every wait. What is waited for takes far less, even on a machine that
// does other things as well.
const patience = 120_000

const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const browser = await chromium.launch({ executablePath: BROWSER, args: flags, timeout: patience })
export const end = () => browser.close()

// A page of its own; nothing in it may fail unseen.
export async function visit(t, path = '/ui/', { user = token, ...options } = {}) {
  const context = await browser.newContext({ baseURL: SERVER, ignoreHTTPSErrors: true, viewport: { width: 1280, height: 900 }, ...options })
  const page = await context.newPage()
  page.setDefaultTimeout(patience)
  const faults = []
  page.on('pageerror', (e) => faults.push(`uncaught: ${e.stack}`))
  page.on('console', (m) => {
    // The browser says so of every refusal; the page shows it.
    const refused = m.text().startsWith('Failed to load resource') && !m.location().url.includes('/assets/')
    if (m.type() === 'error' && !refused) faults.push(`console: ${m.text()}`)
  })
  await context.addInitScript(() => addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sample}`)))
  t.after(async () => {
    await context.close()
    assert.deepEqual(faults, [])
  })
  // How one logs in is looked at elsewhere: here the tab has its token already.
  if (user) await context.addInitScript((token) => sessionStorage.getItem('baleenToken') ?? sessionStorage.setItem('baleenToken', token), user)
  await page.goto(path)
  return page
}

export async function logIn(page, secret) {
  await page.goto('/ui/login')
  await page.getByLabel('Token').fill(secret)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByRole('button', { name: 'Log out' }).waitFor()
}

// Nothing that axe knows to be a barrier; the dark colours have contrast too.
export async function accessible(page, name) {
  if (!(await page.evaluate('typeof axe === "object"'))) await page.evaluate(axe.source)
  for (const [colorScheme, options] of [['dark', { runOnly: ['color-contrast'] }], ['light', {}]]) {
    await page.emulateMedia({ colorScheme })
    const { violations } = await page.evaluate(`axe.run(${JSON.stringify(options)})`)
    const said = violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => `${n.html} ${n.any[0]?.message ?? ''}`).join(' | ')}`)
    assert.deepEqual(said, [], `${name} in ${colorScheme}`)
    if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name}-${colorScheme}.png` })
  }
}

// The API of a server as the administrator, or somebody else, uses it: what was
// asked, or an error.
export async function apiOf(baseURL, Authorization = `Bearer ${token}`) {
  const requests = await request.newContext({ baseURL, ignoreHTTPSErrors: true, extraHTTPHeaders: { Authorization }, timeout: patience })
  return async (method, path, data) => {
    const answer = await requests.fetch(path, { method, data })
    const text = await answer.text()
    assert.ok(answer.ok(), `${method} ${path}: ${answer.status()} ${text}`)
    return answer.headers()['content-type']?.startsWith('application/json') ? JSON.parse(text) : text
  }
}

export const api = await apiOf(SERVER)

// Asks again until it is so.
export async function until(what, f) {
  const end = Date.now() + patience
  while (!(await f())) {
    assert.ok(Date.now() < end, `still not so: ${what}`)
    await new Promise((done) => setTimeout(done, 50))
  }
}

export const rowOf = (page, text) => page.getByRole('row').filter({ hasText: text })

// The routes of a CA, as "prefix-length => ASN # comment".
export async function routesOf(ca) {
  const list = await api('GET', `/api/v1/cas/${ca}/routes?objects=false`)
  return list.map((r) => `${r.prefix}-${r.max_length} => ${r.asn}${r.comment ? ' # ' + r.comment : ''}`)
}
