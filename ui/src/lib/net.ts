// Prefixes and AS numbers as operators write them (RFC 4632, 5952, 5396).

export type Prefix = {
  v6: boolean
  first: bigint // address without host bits
  length: number
  exact: boolean // no host bits were set in what was read
}

export const bitsOf = (p: { v6: boolean }) => (p.v6 ? 128 : 32)

function v4(text: string): bigint | null {
  const m = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (!m) return null
  let n = 0
  for (const part of m.slice(1)) {
    if (Number(part) > 255 || (part.length > 1 && part[0] === '0')) return null
    n = n * 256 + Number(part)
  }
  return BigInt(n)
}

function v6(text: string): bigint | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  const groups = (half: string | undefined) => (half ? half.split(':') : [])
  const [head, tail] = [groups(halves[0]), groups(halves[1])]
  const gap = 8 - head.length - tail.length
  if (halves.length === 1 ? gap !== 0 : gap < 1) return null
  let n = 0n
  for (const g of [...head, ...Array<string>(gap).fill('0'), ...tail]) {
    if (!/^[0-9a-f]{1,4}$/i.test(g)) return null
    n = (n << 16n) | BigInt(parseInt(g, 16))
  }
  return n
}

// An address of either family.
export function parseAddress(text: string): { v6: boolean; value: bigint } | null {
  const four = v4(text)
  if (four !== null) return { v6: false, value: four }
  const six = text.includes(':') ? v6(text) : null
  return six === null ? null : { v6: true, value: six }
}

export function parsePrefix(text: string): Prefix | null {
  const m = /^([^/]+)\/(\d{1,3})$/.exec(text.trim())
  const address = m && parseAddress(m[1]!)
  if (!m || !address) return null
  const bits = bitsOf(address)
  const length = Number(m[2])
  if (length > bits || m[2] !== String(length)) return null
  const host = BigInt(bits - length)
  const first = (address.value >> host) << host
  return { v6: address.v6, first, length, exact: first === address.value }
}

export function formatPrefix(p: Prefix): string {
  return `${formatAddress(p)}/${p.length}`
}

function formatAddress(p: Prefix): string {
  if (!p.v6) return [24n, 16n, 8n, 0n].map((shift) => (p.first >> shift) & 255n).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => ((p.first >> BigInt(112 - 16 * i)) & 0xffffn).toString(16))
  let best = { at: -1, n: 1 } // the first longest run of more than one zero
  for (let i = 0; i < 8; i++) {
    let n = 0
    while (i + n < 8 && groups[i + n] === '0') n++
    if (n > best.n) best = { at: i, n }
  }
  if (best.at < 0) return groups.join(':')
  return groups.slice(0, best.at).join(':') + '::' + groups.slice(best.at + best.n).join(':')
}

// Whether every address of one is in the other.
export function contains(outer: Prefix, inner: Prefix): boolean {
  if (outer.v6 !== inner.v6 || outer.length > inner.length) return false
  const host = BigInt(bitsOf(outer) - outer.length)
  return inner.first >> host === outer.first >> host
}

// A text that sorts as prefixes do: IPv4 first, then by address and length.
export function sortKey(p: Prefix): string {
  return (p.v6 ? '6' + p.first.toString(16).padStart(32, '0') : '4' + p.first.toString(16).padStart(8, '0')) + String(p.length).padStart(3, '0')
}

// 64496 or AS64496.
export function parseASN(text: string): number | null {
  const m = /^(?:as)?(\d{1,10})$/i.exec(text.trim())
  const n = m ? Number(m[1]) : NaN
  return n <= 0xffffffff ? n : null
}

// Whether a prefix lies within a list of prefixes, ranges and addresses such as
// the API gives for resources: "10.0.0.0/8, 192.0.2.0-192.0.2.130".
export function holds(list: string, p: Prefix): boolean {
  const last = p.first + (1n << BigInt(bitsOf(p) - p.length)) - 1n
  return list.split(',').some((part) => {
    const block = blockOf(part.trim())
    return block !== null && block.v6 === p.v6 && block.first <= p.first && last <= block.last
  })
}

function blockOf(text: string): { v6: boolean; first: bigint; last: bigint } | null {
  const prefix = parsePrefix(text)
  if (prefix) return { v6: prefix.v6, first: prefix.first, last: prefix.first + (1n << BigInt(bitsOf(prefix) - prefix.length)) - 1n }
  const [from, to] = text.split('-').map(parseAddress)
  if (!from) return null
  return { v6: from.v6, first: from.value, last: (to ?? from).value }
}
