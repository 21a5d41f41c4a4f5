import assert from 'node:assert/strict'
import { test } from 'node:test'
import { part, query } from './page'

test('pages are counted from the newest entry', () => {
  assert.deepEqual(part(120, 0, 50), { offset: 70, limit: 50 })
  assert.deepEqual(part(120, 50, 50), { offset: 20, limit: 50 })
  assert.deepEqual(part(120, 100, 50), { offset: 0, limit: 20 })
  assert.deepEqual(part(0, 0, 50), { offset: 0, limit: 0 })
  assert.deepEqual(part(10, 50, 50), { offset: 0, limit: 0 })
})

test('what filters nothing is not asked for', () => {
  assert.deepEqual(query({ actor: ' ', label: '', failed: '', machine: true }), {})
  assert.deepEqual(query({ actor: ' user:x ', label: 'cmd-ca-init', failed: 'true', machine: false }), { actor: 'user:x', label: 'cmd-ca-init', failed: 'true', machine: 'false' })
})
