import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readROA } from './form'

const held = { ipv4: '10.0.0.0/8', ipv6: '2001:db8::/32' }
const typed = { asn: 'AS64496', prefix: '10.0.0.0/16', maxLength: '', comment: '' }

test('a ROA is read as it is meant', () => {
  assert.deepEqual(readROA(typed, held).roa, { asn: 64496, prefix: '10.0.0.0/16', max_length: 16, comment: null })
  assert.deepEqual(readROA({ asn: '0', prefix: '2001:DB8:1::/48', maxLength: '64', comment: ' x ' }, held).roa, { asn: 0, prefix: '2001:db8:1::/48', max_length: 64, comment: 'x' })
})

test('every fault stands beside its field', () => {
  for (const [change, field, words] of [
    [{ asn: 'x' }, 'asn', 'AS number'],
    [{ prefix: '10.0.0.0' }, 'prefix', 'address and a length'],
    [{ prefix: '10.0.0.1/16' }, 'prefix', 'did you mean 10.0.0.0/16?'],
    [{ prefix: '11.0.0.0/16' }, 'prefix', 'does not hold'],
    [{ maxLength: '15' }, 'maxLength', 'from 16 to 32'],
    [{ maxLength: '33' }, 'maxLength', 'from 16 to 32'],
    [{ maxLength: '1e1' }, 'maxLength', 'from 16 to 32'],
  ] as const) {
    const { roa, faults } = readROA({ ...typed, ...change }, held)
    assert.equal(roa, undefined)
    assert.ok(faults[field]?.includes(words), JSON.stringify(faults))
  }
  assert.ok(readROA({ ...typed, prefix: '11.0.0.0/16' }, null).roa)
})
