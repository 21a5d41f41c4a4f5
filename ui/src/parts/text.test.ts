import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asNumbers, blocks, count, distance, expandASNs, holdsNothing, octets, seconds } from './text'

test('lists of resources are split into blocks', () => {
  assert.deepEqual(blocks('10.0.0.0/8, 192.0.2.0/24 ,'), ['10.0.0.0/8', '192.0.2.0/24'])
  assert.deepEqual(blocks(undefined), [])
  assert.ok(holdsNothing({ asn: '', ipv4: ' ', ipv6: undefined }))
  assert.ok(!holdsNothing({ asn: 'AS1' }))
})

test('distances in time are told in the largest unit that fits', () => {
  assert.equal(distance(1000, 1000), 'just now')
  assert.equal(distance(1030, 1000), 'in less than a minute')
  assert.equal(distance(1000 - 61, 1000), '1 minute ago')
  assert.equal(distance(1000 + 3 * 86400, 1000), 'in 3 days')
  assert.equal(distance(1000 + 366 * 86400, 1000), 'in 1 year')
  assert.equal(seconds('1970-01-01T00:01:00Z'), 60)
  assert.equal(seconds(60), 60)
})

test('AS numbers are read as people write them', () => {
  assert.deepEqual(asNumbers('AS64496, 64497\nas1;2'), [64496, 64497, 1, 2])
  assert.deepEqual(asNumbers(' '), [])
  assert.throws(() => asNumbers('AS1, x2'), /'x2' is not an AS number/)
  assert.throws(() => asNumbers('4294967296'), /is not an AS number/)
  assert.throws(() => asNumbers('1-3'), /is not an AS number/)
})

test('ranges of AS numbers are expanded up to a limit', () => {
  assert.deepEqual(expandASNs('AS1-AS3, AS7', 10), [1, 2, 3, 7])
  assert.deepEqual(expandASNs('AS0-AS4294967295', 3), [0, 1, 2])
  assert.deepEqual(expandASNs(undefined, 3), [])
})

test('counts and octets', () => {
  assert.equal(count(1, 'child', 'children'), '1 child')
  assert.equal(count(1200, 'object'), '1,200 objects')
  assert.equal(octets('AAA='), 2)
  assert.equal(octets('AAAA'), 3)
})
