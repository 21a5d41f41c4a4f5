import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Schema } from '../../lib/api'
import { rollable, stage, staged, stagedSince } from './state'

const key = (key_id: string, not_before = '2026-01-01T00:00:00Z') => ({ key_id, incoming_cert: { validity: { not_before, not_after: '2027-01-01T00:00:00Z' } } }) as Schema['CertifiedKeyInfo']
const rc = (keys: Schema['KeyState']) => ({ name_space: '0', parent_handle: 'p', keys })
const roles = (s: Schema['KeyState']) => stage(s).keys.map((k) => `${k.role} ${k.id}`)

test('every stage of a roll names its keys and whether it goes on by itself', () => {
  const stages: [Schema['KeyState'], string[], boolean][] = [
    [{ pending: { pending_key: { key_id: 'P' } } }, ['pending P'], true],
    [{ active: { active_key: key('A') } }, ['current A'], false],
    [{ roll_pending: { active_key: key('A'), pending_key: { key_id: 'P' } } }, ['current A', 'pending P'], true],
    [{ roll_new: { active_key: key('A'), new_key: key('N') } }, ['current A', 'new N'], false],
    [{ roll_old: { active_key: key('A'), old_key: key('O') } }, ['current A', 'old O'], true],
  ]
  for (const [state, keys, waits] of stages) {
    assert.deepEqual(roles(state), keys)
    assert.equal(stage(state).waits, waits, keys.join())
  }
})

test('only active classes can be rolled, only staged keys activated', () => {
  const classes = {
    '0': rc({ active: { active_key: key('A') } }),
    '1': rc({ roll_new: { active_key: key('B'), new_key: key('N', '2026-02-01T00:00:00Z') } }),
    '2': rc({ roll_new: { active_key: key('C'), new_key: key('M', '2026-03-01T00:00:00Z') } }),
  }
  assert.deepEqual(rollable(classes), ['0'])
  assert.deepEqual(staged(classes), ['1', '2'])
  assert.equal(stagedSince(classes), Date.parse('2026-03-01T00:00:00Z') / 1000) // the youngest
})
