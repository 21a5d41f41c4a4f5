// Set-up documents (RFC 8183), as far as the page must read them.

const certificates = {
  child_request: 'child_bpki_ta',
  parent_response: 'parent_bpki_ta',
  publisher_request: 'publisher_bpki_ta',
  repository_response: 'repository_bpki_ta',
} as const

// Text becomes a document only with a policy's leave (Trusted Types); nothing in
// such a document is ever run or shown.
type Inert = { createHTML(text: string): string }
type Factory = { createPolicy(name: string, rules: Inert): Inert }
const factory = (globalThis as { trustedTypes?: Factory }).trustedTypes
const inert: Inert = factory?.createPolicy('baleen-setup', { createHTML: (text) => text }) ?? { createHTML: (text) => text }

export type SetupKind = keyof typeof certificates

export type SetupDocument = {
  attributes: Record<string, string>
  certificate: string // base64 without white space
}

const known = (name: string): name is SetupKind => name in certificates

// Reads a document of the wanted kind. What it throws is for people.
export function readSetup(xml: string, wanted: SetupKind): SetupDocument {
  const text = xml.trim()
  if (!text.startsWith('<')) throw new Error('This is not XML.') // the browser's own words about it have a style that the page's policy forbids
  const root = new DOMParser().parseFromString(inert.createHTML(text), 'application/xml').documentElement
  if (root.getElementsByTagName('parsererror').length > 0 || root.nodeName === 'parsererror') throw new Error('This is not XML.')
  if (!known(root.localName)) throw new Error(`This is not a set-up document of RFC 8183: its element is '${root.localName}'.`)
  if (root.localName !== wanted) throw new Error(`This is a ${root.localName}; wanted is a ${wanted}.`)
  const certificate = root.getElementsByTagNameNS('*', certificates[wanted])[0]?.textContent?.replace(/\s+/g, '')
  if (!certificate) throw new Error(`It has no ${certificates[wanted]}.`)
  return { attributes: Object.fromEntries([...root.attributes].map((a) => [a.name, a.value])), certificate }
}

// Why a text is not such a document; '' if it is one or there is none yet.
export function setupFault(xml: string, wanted: SetupKind): string {
  if (xml.trim() === '') return ''
  try {
    readSetup(xml, wanted)
    return ''
  } catch (e) {
    return e instanceof Error ? e.message : String(e)
  }
}
