import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusal } from './refusal'
import { makeSeen } from './whole'

const difference = (version: number, ...added: string[]) => ({ version, added })

// A CA at a version, which others move on before some of the answers.
function server(versions: number[], now = difference(0, 'a')) {
  const asked: number[] = []
  return {
    asked,
    compare: async () => ({ ...now, version: versions[0]! }),
    make: async (version: number) => {
      asked.push(version)
      if (version !== versions[0]) throw new Refusal(409, 'version-mismatch', 'another version')
      versions.splice(0, versions.length > 1 ? 1 : 0)
      return { ...now, version }
    },
  }
}

test('a version that moved for other reasons is no difference', async () => {
  const s = server([5])
  assert.deepEqual(await makeSeen(difference(3, 'a'), s.compare, s.make), { made: difference(5, 'a') })
  assert.deepEqual(s.asked, [3, 5])
})

test('another difference is shown, and nothing is done', async () => {
  const s = server([5], difference(0, 'a', 'b'))
  assert.deepEqual(await makeSeen(difference(3, 'a'), s.compare, s.make), { now: difference(5, 'a', 'b') })
  assert.deepEqual(s.asked, [3])
})

test('other refusals are told', async () => {
  const refuse = async () => {
    throw new Refusal(400, 'ca-roa-delta-error', 'no')
  }
  await assert.rejects(makeSeen(difference(3), refuse, refuse), { label: 'ca-roa-delta-error' })
  const never = async () => {
    throw new Refusal(409, 'version-mismatch', 'no')
  }
  await assert.rejects(makeSeen(difference(3), async () => difference(4), never), { label: 'version-mismatch' })
})
