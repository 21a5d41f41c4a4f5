// The ROAs of one CA as the screen shows them: what the server has, what its
// analysis found, and the draft of changes. Lists are large: they are replaced
// as a whole and never made reactive item by item.

import { may } from '../parts/may'
import { api, ask, askTagged, askText, type Schema } from './api'
import { delta, emptyDraft, fromText, settle, sizeOf, toText, type Draft } from './draft'
import type { Seen } from './whole'
import { isROA, keyOf, rowOf, rowsOf, type Configuration, type Entry } from './roas'

type ConfiguredROA = Schema['ConfiguredROA']

const draftKey = (ca: string) => `baleenDraft:${ca}`

// Signed objects are not asked for: each would come with every route in it.
const bare = { objects: false } as const

export class Routes {
  readonly ca: string
  info = $state.raw<Schema['CAInfo'] | null>(null)
  issues = $state.raw<Schema['CAIssues'] | null>(null)
  report = $state.raw<Entry[] | null>(null)
  draft = $state.raw<Draft>(emptyDraft)

  configured = $derived(new Map((this.report ?? []).filter(isROA).map((e): [string, Configuration] => [keyOf(e), e])))
  #found = $derived(rowsOf(this.report ?? []))
  rows = $derived.by(() => {
    const added = [...this.draft.added].filter(([key]) => !this.configured.has(key))
    return added.length === 0 ? this.#found : [...added.map(([, r]) => rowOf(r, null, null)), ...this.#found]
  })

  constructor(ca: string) {
    this.ca = ca
    this.draft = fromText(sessionStorage.getItem(draftKey(ca)))
  }

  get #path() {
    return { path: { ca: this.ca } }
  }

  async load() {
    const [info, issues, report] = await Promise.all([
      ask(api.GET('/api/v1/cas/{ca}', { params: this.#path })),
      ask(api.GET('/api/v1/cas/{ca}/issues', { params: this.#path })),
      this.#analyse(),
    ])
    this.info = info
    this.issues = issues
    this.report = report
    this.change(settle(this.draft, this.configured))
  }

  // Whether the user may ask what ROAs do to announcements.
  get compared(): boolean {
    return may('routes-analysis', this.ca)
  }

  // Who may not ask for the analysis sees the routes alone.
  async #analyse(): Promise<Entry[]> {
    if (this.compared) return ask(api.GET('/api/v1/cas/{ca}/routes/analysis/full', { params: { ...this.#path, query: bare } }))
    const list = (await ask(api.GET('/api/v1/cas/{ca}/routes', { params: { ...this.#path, query: bare } }))) as ConfiguredROA[]
    return list.map((r) => ({ ...r, state: 'roa_no_announcement_info' as const }))
  }

  change(draft: Draft) {
    this.draft = draft
    if (sizeOf(draft) > 0) sessionStorage.setItem(draftKey(this.ca), toText(draft))
    else sessionStorage.removeItem(draftKey(this.ca))
  }

  // What the draft would do; the server refuses what it would refuse to do.
  dryRun(draft: Draft): Promise<Entry[]> {
    return ask(api.POST('/api/v1/cas/{ca}/routes/analysis/dryrun', { params: { ...this.#path, query: bare }, body: delta(draft) }))
  }

  async apply() {
    await ask(api.POST('/api/v1/cas/{ca}/routes', { params: this.#path, body: delta(this.draft) }))
    this.change(emptyDraft)
    await this.load()
  }

  suggestions() {
    return ask(api.GET('/api/v1/cas/{ca}/routes/analysis/suggest', { params: { ...this.#path, query: bare } }))
  }

  // The whole configuration, as a file.
  csv() {
    return askText(`/api/v1/cas/${encodeURIComponent(this.ca)}/routes`, { headers: { Accept: 'text/csv' } })
  }

  // The signed objects of one route.
  async objectsOf(r: Configuration) {
    const query = { prefix: r.prefix, asn: String(r.asn) }
    const list = (await ask(api.GET('/api/v1/cas/{ca}/routes', { params: { ...this.#path, query } }))) as ConfiguredROA[]
    return list.find((c) => keyOf(c) === keyOf(r))?.roa_objects ?? []
  }

  // Compares a whole configuration, JSON or CSV, with what is there; makes it so
  // if a header says what it was compared with.
  async replace(text: string, ifMatch?: { 'If-Match'?: string }): Promise<Seen<Schema['ROADifference']>> {
    const query = ifMatch === undefined ? '?objects=false&dry_run=true&effect=true' : ''
    const headers = { 'Content-Type': /^\s*\[/.test(text) ? 'application/json' : 'text/csv', ...ifMatch }
    const answer = await askTagged(`/api/v1/cas/${encodeURIComponent(this.ca)}/routes${query}`, { method: 'PUT', headers, body: text })
    return { data: JSON.parse(answer.text) as Schema['ROADifference'], version: answer.tag }
  }

  issuing() {
    return ask(api.GET('/api/v1/cas/{ca}/issuing', { params: this.#path }))
  }

  pause(paused: boolean) {
    return paused ? ask(api.POST('/api/v1/cas/{ca}/issuing/pause', { params: this.#path })) : ask(api.POST('/api/v1/cas/{ca}/issuing/resume', { params: this.#path }))
  }
}
