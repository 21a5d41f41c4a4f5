// How values of the API are written on the page.

export type ResourceSet = { asn?: string; ipv4?: string; ipv6?: string }

// The blocks of a list such as "10.0.0.0/8, 192.0.2.0/24".
export const blocks = (list: string | undefined): string[] =>
  (list ?? '')
    .split(',')
    .map((b) => b.trim())
    .filter(Boolean)

export const holdsNothing = (set: ResourceSet): boolean => blocks(set.asn).length + blocks(set.ipv4).length + blocks(set.ipv6).length === 0

const units: [string, number][] = [
  ['year', 365 * 86400],
  ['month', 30 * 86400],
  ['day', 86400],
  ['hour', 3600],
  ['minute', 60],
]

// How far a time is from another, both in seconds: "in 3 days", "2 minutes ago".
export function distance(at: number, now: number): string {
  const seconds = Math.abs(at - now)
  const unit = units.find(([, size]) => seconds >= size)
  if (!unit) return at > now + 1 ? 'in less than a minute' : 'just now'
  const count = Math.floor(seconds / unit[1])
  const text = `${count} ${unit[0]}${count === 1 ? '' : 's'}`
  return at > now ? `in ${text}` : `${text} ago`
}

// A time of the API, seconds since 1970 or RFC 3339, as seconds since 1970.
export const seconds = (at: number | string): number => (typeof at === 'number' ? at : Date.parse(at) / 1000)

// "2026-11-26 15:04:05" in the time zone of who reads it.
export const clockTime = (at: number): string => new Date(at * 1000).toLocaleString('sv-SE')

// AS numbers as people write them: "AS64496", "64496", separated by anything.
// A word that is none is refused by name.
export function asNumbers(text: string): number[] {
  return text
    .split(/[\s,;]+/)
    .filter(Boolean)
    .map((word) => {
      const digits = /^(?:AS)?(\d{1,10})$/i.exec(word)?.[1]
      const asn = Number(digits)
      if (digits === undefined || asn > 0xffffffff) throw new Error(`'${word}' is not an AS number`)
      return asn
    })
}

// The AS numbers in "AS1-AS3, AS7", up to a limit.
export function expandASNs(list: string | undefined, limit: number): number[] {
  const found: number[] = []
  for (const block of blocks(list)) {
    const [first, last] = block.split('-').map((a) => Number(a.trim().replace(/^AS/i, '')))
    for (let asn = first!; asn <= (last ?? first!) && found.length < limit; asn++) found.push(asn)
  }
  return found
}

export const count = (n: number, one: string, many = one + 's'): string => `${n.toLocaleString('en')} ${n === 1 ? one : many}`

// Octets of a text in base64.
export const octets = (base64: string): number => Math.floor((base64.replace(/=+$/, '').length * 3) / 4)
