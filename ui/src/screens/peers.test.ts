import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Schema } from '../lib/api'
import { issueList } from './issues/list'
import { awaited, classesUnder, fingerprint, standing as standingWith } from './parents/state'
import { movingClasses, standing } from './repos/state'

const base = 'rsync://here/repo/ca/'
const key = (ca_repository: string) => ({ key_id: 'K', incoming_cert: { ca_repository } }) as Schema['CertifiedKeyInfo']
const classes = (keys: Schema['KeyState']) => ({ '0': { name_space: 'default', parent_handle: 'p', keys } })
const repo_info = { sia_base: base, rrdp_notification_uri: null }
const good = { timestamp: 1, uri: 'https://x/', result: 'Success' as const }
const failed = { timestamp: 2, uri: 'https://x/', result: { Failure: { label: 'l', msg: 'm', args: {} } } }
const parent = (last_exchange: Schema['ParentStatus']['last_exchange'], n = 0) =>
  ({ last_exchange, last_success: null, all_resources: { asn: '' }, classes: Array.from({ length: n }) }) as Schema['ParentStatus']

test('a class whose current key publishes elsewhere is moving', () => {
  assert.deepEqual(movingClasses({ repo_info, resource_classes: classes({ active: { active_key: key(base + '0/') } }) }), [])
  assert.deepEqual(movingClasses({ repo_info, resource_classes: classes({ roll_new: { active_key: key('rsync://old/repo/'), new_key: key(base) } }) }), ['0'])
  assert.deepEqual(movingClasses({ repo_info, resource_classes: classes({ pending: { pending_key: { key_id: 'P' } } }) }), [])
  assert.deepEqual(movingClasses({ repo_info: null, resource_classes: {} }), [])
})

test('how a CA stands with its repository and its parents', () => {
  assert.equal(standing(false, null).kind, 'warn')
  assert.equal(standing(true, { last_exchange: null, published: [] }).kind, 'warn')
  assert.equal(standing(true, { last_exchange: good, published: [] }).kind, 'good')
  assert.equal(standing(true, { last_exchange: failed, published: [] }).kind, 'bad')
  assert.equal(standingWith(parent(good, 1)).kind, 'good')
  assert.equal(standingWith(parent(good)).word, 'entitles to nothing')
  assert.equal(standingWith(parent(failed, 1)).kind, 'bad')
})

test('the page looks again while certificates are awaited, not for ever', () => {
  const active = classes({ active: { active_key: key(base) } })
  assert.ok(awaited({ statuses: { p: parent(null) }, info: { repo_info, resource_classes: {} } }))
  assert.ok(!awaited({ statuses: { p: parent(null) }, info: { repo_info: null, resource_classes: {} } }))
  assert.ok(awaited({ statuses: { p: parent(good, 1) }, info: { repo_info, resource_classes: classes({ pending: { pending_key: { key_id: 'P' } } }) } }))
  assert.ok(!awaited({ statuses: { p: parent(good, 1) }, info: { repo_info, resource_classes: active } }))
  assert.deepEqual(classesUnder({ repo_info, resource_classes: active }, 'p').map((c) => [c.here, c.there]), [['0', 'default']])
  assert.deepEqual(classesUnder({ repo_info, resource_classes: active }, 'q'), [])
  assert.notEqual(fingerprint({ p: parent(good) }), fingerprint({ p: parent(failed) }))
})

test('issues are one list', () => {
  const error = { label: 'l', msg: 'm', args: {} }
  assert.deepEqual(
    issueList({ repo_issue: error, parent_issues: [{ parent: 'p', issue: error }] }).map((i) => i.with),
    ['repository', 'parent p'],
  )
  assert.deepEqual(issueList({ repo_issue: null, parent_issues: [] }), [])
})
