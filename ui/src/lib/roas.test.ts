import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changes, delta, emptyDraft, fromText, put, settle, sizeOf, take, toText, undo } from './draft'
import { effects, refusedRoutes } from './effect'
import { countStates, find, keyOf, rowsOf, sorted, type Configuration, type Entry } from './roas'
import { suggestionsOf } from './suggest'

const roa = (prefix: string, max_length: number, asn: number, comment: string | null = null) => ({ asn, prefix, max_length, comment, roa_objects: [] })
const configured = (...list: Configuration[]) => new Map(list.map((r) => [keyOf(r), r]))

const report: Entry[] = [
  { ...roa('10.0.0.0/22', 23, 64496, 'core'), state: 'roa_seen', authorizes: [{ asn: 64496, prefix: '10.0.0.0/22' }] },
  { ...roa('9.0.0.0/8', 8, 64497), state: 'roa_unseen' },
  { ...roa('2001:db8::/32', 48, 64498, 'Planned'), state: 'roa_too_permissive' },
  { asn: 64496, prefix: '10.0.0.0/22', state: 'announcement_valid', allowed_by: { asn: 64496, prefix: '10.0.0.0/22', max_length: 23 } },
  { asn: 64499, prefix: '10.0.0.0/24', state: 'announcement_invalid_asn', disallowed_by: [{ asn: 64496, prefix: '10.0.0.0/22', max_length: 23 }] },
]

const keys = (query: string) => find(rowsOf(report), query).map((r) => r.key)

test('valid announcements have no rows of their own', () => {
  assert.deepEqual(keys(''), ['10.0.0.0/22-23 => 64496', '9.0.0.0/8-8 => 64497', '2001:db8::/32-48 => 64498', '10.0.0.0/24 by AS64499'])
})

test('rows are found by AS, prefix, state and comment', () => {
  assert.deepEqual(keys('as64496'), ['10.0.0.0/22-23 => 64496'])
  assert.deepEqual(keys('64497'), ['9.0.0.0/8-8 => 64497'])
  assert.deepEqual(keys('planned'), ['2001:db8::/32-48 => 64498'])
  assert.deepEqual(keys('invalid asn'), ['10.0.0.0/24 by AS64499'])
  assert.deepEqual(keys('10.0.0.0/8'), ['10.0.0.0/22-23 => 64496', '10.0.0.0/24 by AS64499'])
  assert.deepEqual(keys('10.0.0.5'), ['10.0.0.0/22-23 => 64496', '10.0.0.0/24 by AS64499'])
  assert.deepEqual(keys('10.0.0.5 core'), ['10.0.0.0/22-23 => 64496'])
  assert.deepEqual(keys('nothing'), [])
})

test('rows are sorted, with what needs attention first among states', () => {
  const order = (by: 'asn' | 'prefix' | 'comment' | 'state', down = false) => sorted(rowsOf(report), { by, down }).map((r) => r.prefix)
  assert.deepEqual(order('prefix'), ['9.0.0.0/8', '10.0.0.0/22', '10.0.0.0/24', '2001:db8::/32'])
  assert.deepEqual(order('asn', true), ['10.0.0.0/24', '2001:db8::/32', '9.0.0.0/8', '10.0.0.0/22'])
  assert.deepEqual(order('state'), ['10.0.0.0/24', '9.0.0.0/8', '2001:db8::/32', '10.0.0.0/22'])
  assert.deepEqual(countStates(rowsOf(report)).map((c) => c.state), ['announcement_invalid_asn', 'roa_unseen', 'roa_too_permissive', 'roa_seen'])
})

test('a draft holds what differs, and nothing twice', () => {
  const there = configured(roa('10.0.0.0/8', 8, 1, 'old'), roa('11.0.0.0/8', 8, 1))
  let d = put(emptyDraft, there, { asn: 2, prefix: '12.0.0.0/8', comment: ' new ' })
  d = put(d, there, { asn: 1, prefix: '10.0.0.0/8', max_length: 8, comment: 'other' })
  d = take(d, there, '11.0.0.0/8-8 => 1')
  assert.deepEqual(changes(d, there).map((c) => [c.kind, c.key, c.was]), [
    ['add', '12.0.0.0/8-8 => 2', undefined],
    ['comment', '10.0.0.0/8-8 => 1', 'old'],
    ['remove', '11.0.0.0/8-8 => 1', undefined],
  ])
  assert.deepEqual(delta(d), {
    added: [
      { asn: 2, prefix: '12.0.0.0/8', max_length: 8, comment: 'new' },
      { asn: 1, prefix: '10.0.0.0/8', max_length: 8, comment: 'other' },
    ],
    removed: [{ asn: 1, prefix: '11.0.0.0/8', max_length: 8 }],
  })
  assert.deepEqual(fromText(toText(d)), d)
  assert.equal(sizeOf(d), 3)

  assert.equal(sizeOf(put(d, there, roa('11.0.0.0/8', 8, 1))), 2) // it stays after all
  assert.equal(sizeOf(put(d, there, roa('10.0.0.0/8', 8, 1, 'old'))), 2) // the comment stays
  assert.equal(sizeOf(take(d, there, '12.0.0.0/8-8 => 2')), 2) // it was never there
  assert.deepEqual(changes(take(d, there, '10.0.0.0/8-8 => 1'), there).map((c) => c.kind), ['add', 'remove', 'remove'])
  assert.equal(sizeOf(undo(d, '11.0.0.0/8-8 => 1')), 2)
  assert.equal(sizeOf(emptyDraft), 0)
})

test('a draft settles when somebody else did the same', () => {
  const before = configured(roa('10.0.0.0/8', 8, 1), roa('11.0.0.0/8', 8, 1))
  const d = take(put(emptyDraft, before, roa('12.0.0.0/8', 8, 2)), before, '10.0.0.0/8-8 => 1')
  assert.equal(sizeOf(settle(d, before)), 2)
  assert.equal(sizeOf(settle(d, configured(roa('11.0.0.0/8', 8, 1), roa('12.0.0.0/8', 8, 2)))), 0)
  for (const text of [null, '', '{}', '[1]', '{"added":1,"removed":[]}']) assert.equal(sizeOf(fromText(text)), 0)
})

test('the effect is what changes its validity, the worst first', () => {
  const after: Entry[] = [
    { ...roa('10.0.0.0/24', 24, 64499), state: 'roa_seen' },
    { asn: 64499, prefix: '10.0.0.0/24', state: 'announcement_valid' },
    { asn: 64496, prefix: '10.0.0.0/22', state: 'announcement_invalid_length' },
  ]
  assert.deepEqual(effects(report, after), [
    { announcement: { asn: 64496, prefix: '10.0.0.0/22' }, from: 'valid', to: 'invalid' },
    { announcement: { asn: 64499, prefix: '10.0.0.0/24' }, from: 'invalid', to: 'valid' },
  ])
  assert.deepEqual(effects(report, report), [])
})

test('refusals are told by route', () => {
  const body = { label: 'ca-roa-delta-error', delta_error: { duplicates: [roa('10.0.0.0/8', 8, 1)], notheld: [], unknowns: [{ asn: 1, prefix: '11.0.0.0/8' }], invalid_length: [] } }
  assert.deepEqual([...refusedRoutes(body)], [
    ['10.0.0.0/8-8 => 1', 'is configured already'],
    ['11.0.0.0/8-8 => 1', 'is not configured (any more)'],
  ])
  assert.equal(refusedRoutes({ label: 'sys-unavailable' }).size + refusedRoutes(undefined).size, 0)
})

test('announcements that ought to be valid are suggested as additions', () => {
  const got = suggestionsOf({
    invalid_asn: [{ asn: 1, prefix: '10.0.0.0/24' }],
    too_permissive: [{ current: roa('10.1.0.0/16', 24, 2, 'mine'), new: [{ asn: 2, prefix: '10.1.1.0/24' }] }],
    redundant: [roa('10.1.2.0/24', 24, 2), roa('10.9.0.0/16', 16, 2)],
    stale: [roa('10.8.0.0/16', 16, 2)],
    keep: [roa('10.7.0.0/16', 16, 2)],
  })
  assert.deepEqual(got.map((s) => [s.kind, s.add.map(keyOf), s.remove.map(keyOf), s.chosen]), [
    ['add', ['10.0.0.0/24-24 => 1'], [], false],
    ['replace', ['10.1.1.0/24-24 => 2'], ['10.1.0.0/16-24 => 2'], true],
    ['remove', [], ['10.1.2.0/24-24 => 2'], false], // its route may have no other ROA once the one above is exact
    ['remove', [], ['10.9.0.0/16-16 => 2'], true],
    ['remove', [], ['10.8.0.0/16-16 => 2'], false],
  ])
  assert.equal(got[1]?.add[0]?.comment, 'mine')
  assert.deepEqual(suggestionsOf({}), [])
})

test('20,000 rows are found and sorted', () => {
  const many: Entry[] = Array.from({ length: 20000 }, (_, i) => ({ ...roa(`10.${i >> 8}.${i & 255}.0/24`, 24, 64496 + (i % 7)), state: 'roa_seen' as const }))
  const rows = rowsOf(many)
  assert.equal(find(rows, '10.3.0.0/16').length, 256)
  assert.equal(sorted(rows, { by: 'prefix', down: true })[0]?.prefix, '10.78.31.0/24')
})
