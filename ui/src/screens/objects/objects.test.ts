import assert from 'node:assert/strict'
import { test } from 'node:test'
import { daysLater, digests, faultOfName } from './checklist'
import { requestOf, routerName } from './csr'
import { contactOf, fieldsOf, inBrief } from './ghostbusters'

test('contacts come back from the fields of the form as they were', () => {
  const full = { fn: 'NOC', org: 'Example', adr: { street: 'Main 1', country: 'NL' }, tel: ['tel:+1'], fax: ['+2'], email: ['a@example.net', 'b@example.net'] }
  const { tel, fax, email, ...rest } = full
  assert.deepEqual(contactOf(fieldsOf(full)), { ...rest, email, tel, fax })
  assert.deepEqual(contactOf(fieldsOf({ fn: ' NOC ', email: ['a@example.net'] })), { fn: 'NOC', email: ['a@example.net'] })
  assert.equal(inBrief(full), 'Example · a@example.net · b@example.net · tel:+1 · fax +2 · Main 1, NL')
})

test('certificate requests are taken as PEM and as base64', () => {
  const pem = 'junk\n-----BEGIN CERTIFICATE REQUEST-----\nMIIB\nAA==\n-----END CERTIFICATE REQUEST-----\n'
  assert.equal(requestOf(pem), 'MIIBAA==')
  assert.equal(requestOf(pem.replaceAll('CERTIFICATE', 'NEW CERTIFICATE')), 'MIIBAA==')
  assert.equal(requestOf(' MIIB\r\nAA== '), 'MIIBAA==')
  assert.throws(() => requestOf('-----BEGIN CERTIFICATE-----'), /neither/)
  assert.equal(routerName(64496, 'AB'), 'ROUTER-0000FBF0-AB')
})

test('files of a checklist are digested here, with or without names', async () => {
  const file = { name: 'letter.txt', arrayBuffer: async () => new TextEncoder().encode('hello').buffer as ArrayBuffer }
  const hash = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824'
  assert.deepEqual(await digests([file], true), [{ name: 'letter.txt', hash }])
  assert.deepEqual(await digests([file], false), [{ hash }])
  assert.equal(faultOfName('letter-1_a.PDF'), '')
  assert.match(faultOfName('my letter.pdf'), /my letter/)
  assert.equal(daysLater(Date.parse('2026-01-31T00:00:00.900Z'), 1), '2026-02-01T00:00:00Z')
})
