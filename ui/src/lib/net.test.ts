import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contains, formatPrefix, holds, parseASN, parsePrefix, sortKey } from './net'

const prefix = (text: string) => {
  const p = parsePrefix(text)
  assert.ok(p, text)
  return p
}

test('prefixes are read and written in one form', () => {
  for (const [text, want] of [
    ['192.0.2.0/24', '192.0.2.0/24'],
    [' 0.0.0.0/0 ', '0.0.0.0/0'],
    ['2001:DB8:0:0::/32', '2001:db8::/32'],
    ['::/0', '::/0'],
    ['2001:0db8:0:1:0:0:0:1/128', '2001:db8:0:1::1/128'],
    ['2001:db8:0:1:1:1:1:1/128', '2001:db8:0:1:1:1:1:1/128'],
    ['1:0:0:2:0:0:0:3/128', '1:0:0:2::3/128'],
  ] as const) {
    assert.equal(formatPrefix(prefix(text)), want)
  }
  assert.equal(prefix('192.0.2.1/24').exact, false)
  assert.equal(formatPrefix(prefix('192.0.2.1/24')), '192.0.2.0/24')
  assert.equal(prefix('192.0.2.0/24').exact, true)
})

test('what is no prefix is refused', () => {
  for (const text of ['', '192.0.2.0', '192.0.2.0/33', '192.0.2/24', '256.0.0.0/8', '192.00.2.0/24', '192.0.2.0/024', ':::/0', '1::2::3/64', '1:2:3:4:5:6:7/64', '1:2:3:4:5:6:7:8::/64', 'g::/16', '::/129', '192.0.2.0/-1', '::ffff:192.0.2.0/120']) {
    assert.equal(parsePrefix(text), null, text)
  }
})

test('prefixes contain each other', () => {
  assert.ok(contains(prefix('10.0.0.0/8'), prefix('10.255.0.0/16')))
  assert.ok(contains(prefix('::/0'), prefix('2001:db8::/32')))
  assert.ok(!contains(prefix('10.0.0.0/8'), prefix('11.0.0.0/16')))
  assert.ok(!contains(prefix('10.0.0.0/16'), prefix('10.0.0.0/8')))
  assert.ok(!contains(prefix('0.0.0.0/0'), prefix('2001:db8::/32')))
})

test('prefixes sort by family, address, length', () => {
  const sorted = ['9.0.0.0/8', '10.0.0.0/8', '10.0.0.0/16', '100.0.0.0/8', '1::/16', '2001:db8::/32'].map(prefix)
  const keys = sorted.map(sortKey)
  assert.deepEqual([...keys].sort(), keys)
})

test('AS numbers are read with and without AS', () => {
  assert.deepEqual(['64496', 'AS64496', ' as0 ', '4294967295'].map(parseASN), [64496, 64496, 0, 4294967295])
  assert.deepEqual(['', 'AS', '4294967296', '1.10', '-1', 'x'].map(parseASN), [null, null, null, null, null, null])
})

test('resources are prefixes, ranges and addresses', () => {
  const held = '10.0.0.0/8, 192.0.2.0-192.0.2.130, 203.0.113.7'
  for (const text of ['10.1.0.0/16', '10.0.0.0/8', '192.0.2.128/31', '203.0.113.7/32']) assert.ok(holds(held, prefix(text)), text)
  for (const text of ['11.0.0.0/16', '192.0.2.0/24', '203.0.113.6/31', '::/96']) assert.ok(!holds(held, prefix(text)), text)
  assert.ok(holds('2001:db8::/32', prefix('2001:db8:1::/48')))
  assert.ok(!holds('', prefix('10.0.0.0/8')))
})
