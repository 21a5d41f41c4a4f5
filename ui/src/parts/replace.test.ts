import assert from 'node:assert/strict'
import { test } from 'node:test'
import { replaceSeen, same } from './replace'

const mismatch = Object.assign(new Error('the CA moved on'), { label: 'version-mismatch' })

// A server that moves on by itself before so many of the writes.
function server(moves: number, value = 'a') {
  let version = 1
  const writes: string[] = []
  return {
    writes,
    read: async () => ({ data: value, version: `"${version}"`, total: 0 }),
    write: async (header: { 'If-Match'?: string }) => {
      if (moves-- > 0) version++
      if (header['If-Match'] !== `"${version}"`) throw mismatch
      writes.push(header['If-Match'])
    },
  }
}

test('what moved on for another reason is written at its new version', async () => {
  const s = server(2)
  await replaceSeen(s.read, (now) => same(now, 'a'), s.write)
  assert.deepEqual(s.writes, ['"3"'])
})

test('what somebody else changed is not written', async () => {
  const s = server(0, 'b')
  await assert.rejects(replaceSeen(s.read, (now) => same(now, 'a'), s.write), /Somebody else has changed this/)
  assert.deepEqual(s.writes, [])
})

test('it gives up in the end, and at once for other refusals', async () => {
  const s = server(100)
  await assert.rejects(replaceSeen(s.read, () => true, s.write), mismatch)
  let asked = 0
  await assert.rejects(
    replaceSeen(s.read, () => true, async () => {
      asked++
      throw new Error('refused')
    }),
    /refused/,
  )
  assert.equal(asked, 1)
})
