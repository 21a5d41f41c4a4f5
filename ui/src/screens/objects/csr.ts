// Certificate requests (RFC 2986) of BGPsec routers, as routers show them.

// The base64 of a request that was pasted as PEM or as base64 alone.
export function requestOf(text: string): string {
  const pem = /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([\s\S]*?)-----END/.exec(text)
  const base64 = (pem?.[1] ?? text).replace(/\s+/g, '')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) throw new Error('This is neither a PEM certificate request nor base64.')
  return base64
}

// By what name the API removes a router key.
export const routerName = (asn: number, key: string): string => `ROUTER-${asn.toString(16).toUpperCase().padStart(8, '0')}-${key}`
