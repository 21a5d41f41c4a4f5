import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contentType, holds, matching, providersDelta } from './logic'

test('only the difference between providers is sent', () => {
  assert.deepEqual(providersDelta([1, 2, 3], [3, 4, 4]), { added: [4], removed: [1, 2] })
  assert.deepEqual(providersDelta([1], [1]), { added: [], removed: [] })
  assert.deepEqual(providersDelta([], [5]), { added: [5], removed: [] })
})

test('AS numbers are held in single numbers and ranges, ends included', () => {
  for (const asn of [1, 3, 7]) assert.ok(holds('AS1-AS3, AS7', asn), String(asn))
  for (const asn of [0, 4, 8]) assert.ok(!holds('AS1-AS3, AS7', asn), String(asn))
  assert.ok(!holds('', 1))
})

test('ASPAs are found by customer and provider', () => {
  const all = [
    { customer: 64496, providers: [1, 65000] },
    { customer: 65001, providers: [2] },
  ]
  assert.deepEqual(matching(all, ' AS65 ').map((d) => d.customer), [64496, 65001])
  assert.deepEqual(matching(all, '65001').map((d) => d.customer), [65001])
  assert.equal(matching(all, ' ').length, 2)
})

test('a whole configuration is JSON or CSV by how it begins', () => {
  assert.equal(contentType('\n [{"customer":1}]'), 'application/json')
  assert.equal(contentType('customer,providers\n'), 'text/csv')
})
