import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allows } from './rights'

const bound = { permissions: ['login', 'ca-read', 'routes-update', 'ca-create', 'pub-list'], cas: ['ca1'] }

test('a bound role holds on its CAs, and for what is about none', () => {
  assert.ok(allows(bound, 'routes-update', 'ca1'))
  assert.ok(!allows(bound, 'routes-update', 'ca2'))
  assert.ok(allows(bound, 'ca-create'))
  assert.ok(allows({ ...bound, cas: null }, 'routes-update', 'ca2'))
  assert.ok(!allows({ ...bound, cas: [] }, 'routes-update', 'ca1'))
})

test('parts of the API ask for a permission of their own beside it', () => {
  assert.ok(!allows(bound, 'aspas-read', 'ca1'))
  assert.ok(!allows({ permissions: ['aspas-read'], cas: null }, 'aspas-read', 'ca1'))
  assert.ok(!allows(bound, 'pub-list'))
  assert.ok(allows({ permissions: ['pub-admin', 'pub-list'], cas: null }, 'pub-list'))
})
