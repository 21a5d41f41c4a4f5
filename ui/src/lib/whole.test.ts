import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusal } from './refusal'
import { makeDifference, replaceSeen, same } from './whole'

const mismatch = () => new Refusal(409, 'version-mismatch', 'another version')
const compared = (version: string, ...added: string[]) => ({ data: { version: Number(version), added }, version })

// A CA at a version, with what differs there.
function server(version: string, ...added: string[]) {
  const asked: (string | undefined)[] = []
  return {
    asked,
    compare: async () => compared(version, ...added),
    make: async ({ 'If-Match': named }: { 'If-Match'?: string }) => {
      asked.push(named)
      if (named !== version) throw mismatch()
      return compared(version, ...added)
    },
  }
}

test('a version that moved for other reasons is no difference', async () => {
  const s = server('5', 'a')
  assert.deepEqual(await makeDifference(compared('3', 'a'), s.compare, s.make), { made: compared('5', 'a') })
  assert.deepEqual(s.asked, ['3', '5'])
})

test('another difference is shown, and nothing is done', async () => {
  const s = server('5', 'a', 'b')
  assert.deepEqual(await makeDifference(compared('3', 'a'), s.compare, s.make), { now: compared('5', 'a', 'b') })
  assert.deepEqual(s.asked, ['3'])
})

test('other refusals are told', async () => {
  const refuse = async () => {
    throw new Refusal(400, 'ca-roa-delta-error', 'no')
  }
  await assert.rejects(makeDifference(compared('3'), refuse, refuse), { label: 'ca-roa-delta-error' })
  const never = async () => {
    throw mismatch()
  }
  await assert.rejects(makeDifference(compared('3'), async () => compared('4'), never), { label: 'version-mismatch' })
})

// A server that moves on by itself before so many of the writes.
function moving(moves: number, value = 'a') {
  let version = 1
  const writes: string[] = []
  return {
    writes,
    read: async () => ({ data: value, version: `"${version}"` }),
    write: async (header: { 'If-Match'?: string }) => {
      if (moves-- > 0) version++
      if (header['If-Match'] !== `"${version}"`) throw mismatch()
      writes.push(header['If-Match'])
    },
  }
}

test('what moved on for another reason is written at its new version', async () => {
  const s = moving(2)
  await replaceSeen(s.read, (now) => same(now, 'a'), s.write)
  assert.deepEqual(s.writes, ['"3"'])
})

test('what somebody else changed is not written', async () => {
  const s = moving(0, 'b')
  await assert.rejects(replaceSeen(s.read, (now) => same(now, 'a'), s.write), /Somebody else has changed this/)
  assert.deepEqual(s.writes, [])
})

test('what has no version is written without one', async () => {
  const headers: unknown[] = []
  await replaceSeen(async () => ({ data: 'a', version: null }), () => true, async (header) => headers.push(header))
  assert.deepEqual(headers, [{}])
})

test('it gives up in the end, and at once for other refusals', async () => {
  const s = moving(100)
  await assert.rejects(replaceSeen(s.read, () => true, s.write), { label: 'version-mismatch' })
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
