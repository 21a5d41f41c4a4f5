import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusal } from './refusal'
import { makeSeen } from './whole'

const compared = (tag: string, ...added: string[]) => ({ difference: { version: Number(tag), added }, tag })

// A CA at a version, with what differs there.
function server(tag: string, ...added: string[]) {
  const asked: string[] = []
  return {
    asked,
    compare: async () => compared(tag, ...added),
    make: async (named: string) => {
      asked.push(named)
      if (named !== tag) throw new Refusal(409, 'version-mismatch', 'another version')
      return compared(tag, ...added)
    },
  }
}

test('a version that moved for other reasons is no difference', async () => {
  const s = server('5', 'a')
  assert.deepEqual(await makeSeen(compared('3', 'a'), s.compare, s.make), { made: compared('5', 'a').difference })
  assert.deepEqual(s.asked, ['3', '5'])
})

test('another difference is shown, and nothing is done', async () => {
  const s = server('5', 'a', 'b')
  assert.deepEqual(await makeSeen(compared('3', 'a'), s.compare, s.make), { now: compared('5', 'a', 'b') })
  assert.deepEqual(s.asked, ['3'])
})

test('other refusals are told', async () => {
  const refuse = async () => {
    throw new Refusal(400, 'ca-roa-delta-error', 'no')
  }
  await assert.rejects(makeSeen(compared('3'), refuse, refuse), { label: 'ca-roa-delta-error' })
  const never = async () => {
    throw new Refusal(409, 'version-mismatch', 'no')
  }
  await assert.rejects(makeSeen(compared('3'), async () => compared('4'), never), { label: 'version-mismatch' })
})
