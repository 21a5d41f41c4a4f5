// Changes to a child that replace a whole.

import { api, ask, Refusal, type Schema } from '../../lib/api'
import { askWhole } from '../../parts/load.svelte'

type Set = Schema['ResourceSet']

const tries = 4

const same = (a: Set, b: Set) => a.asn === b.asn && a.ipv4 === b.ipv4 && a.ipv6 === b.ipv6

// Gives a child other resources, if it has still those that the user saw.
// That the CA moved on by something else, such as signing, is no reason to
// give up: then it is read and compared again.
export async function changeResources(ca: string, child: string, was: Set, wanted: Set): Promise<void> {
  const params = { path: { ca, child } }
  for (let left = tries; ; left--) {
    const now = await askWhole(api.GET('/api/v1/cas/{ca}/children/{child}', { params }))
    if (!same(now.data.entitled_resources, was)) throw new Error('Somebody else has changed the resources of this child meanwhile. Close this, look, and decide again.')
    try {
      const header = now.version ? { 'If-Match': now.version } : {}
      await ask(api.POST('/api/v1/cas/{ca}/children/{child}', { params: { ...params, header }, body: { resources: wanted } }))
      return
    } catch (e) {
      if (left <= 1 || !(e instanceof Refusal) || e.label !== 'version-mismatch') throw e
    }
  }
}
