import assert from 'node:assert/strict'
import { test } from 'node:test'
import { steady, watchPointer } from './steady'

const pointer = new EventTarget()
watchPointer(pointer as unknown as Window)
const send = (type: string, more = {}) => pointer.dispatchEvent(Object.assign(new Event(type), { pointerType: 'mouse', buttons: 1, ...more }))

// Whether it was let through by the time that a click is handled.
async function passes(wait: Promise<void>) {
  let through = false
  void wait.then(() => (through = true))
  await Promise.resolve()
  await Promise.resolve()
  return () => through
}

const click = () => new Promise((done) => setTimeout(done, 0))

test('what arrives while the pointer is pressed waits for its click', async () => {
  assert.ok((await passes(steady()))())
  send('pointerdown')
  const first = await passes(steady())
  assert.ok(!first())
  send('pointermove')
  assert.ok(!first())
  send('pointerup')
  const second = await passes(steady()) // the click is still to come
  assert.ok(!first() && !second())
  await click()
  assert.ok(first() && second())
  assert.ok((await passes(steady()))())
})

test('a pointer that was let go out of sight holds nothing up', async () => {
  send('pointerdown')
  const wait = await passes(steady())
  send('pointermove', { buttons: 0 })
  await click()
  assert.ok(wait())
})

test('who goes on with the keyboard is not about to click', async () => {
  send('pointerdown')
  const wait = await passes(steady())
  send('keydown')
  await click()
  assert.ok(wait())
})
