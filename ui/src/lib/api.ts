// The server's REST API, typed by api/openapi.yaml (npm run types).

import createClient from 'openapi-fetch'
import type { components, paths } from './schema'
import { Refusal } from './refusal'
import { session } from './session.svelte'
import { steady } from './steady'

export type Schema = components['schemas']

export { Refusal }

export const api = createClient<paths>({ baseUrl: location.origin })

api.use({
  onRequest({ request }) {
    if (session.token) request.headers.set('Authorization', `Bearer ${session.token}`)
    return request
  },
  onResponse({ response }) {
    renew(response)
  },
})

// The server may give the session another token with any answer.
function renew(response: Response) {
  const renewed = response.headers.get('Authorization')
  if (renewed?.startsWith('Bearer ')) session.renew(renewed.slice(7))
}

type Answer<T> = { data?: T; error?: unknown; response: Response }

// Gives the answer's data, or throws a Refusal: const list = await ask(api.GET('/api/v1/cas')).
// Who may not even log in (any more) is logged out. Nothing arrives while the
// pointer is pressed.
export async function ask<T>(answer: Promise<Answer<T>>): Promise<T> {
  let got: Answer<T>
  try {
    got = await answer
  } catch {
    await steady()
    throw new Refusal(0, 'network', 'The server does not answer.')
  }
  await steady()
  if (got.response.ok) return got.data as T
  throw refusal(got.response, got.error)
}

function refusal(response: Response, body: unknown): Refusal {
  const e = parse(body)
  const lost = response.status === 401 || (response.status === 403 && e.msg?.includes("'login'"))
  if (lost && session.token) session.end()
  else if (e.label === 'api-insufficient-rights') session.doubt()
  return new Refusal(response.status, e.label ?? String(response.status), e.msg ?? `The server answered ${response.status} ${response.statusText}`.trim(), e.args, body)
}

type ErrorBody = { label?: string; msg?: string; args?: Record<string, string> }

function parse(body: unknown): ErrorBody {
  if (typeof body === 'string') {
    try {
      return JSON.parse(body) as ErrorBody
    } catch {
      return {}
    }
  }
  return (body ?? {}) as ErrorBody
}

// Text answers and XML bodies, which openapi-fetch would take for JSON.
export async function askText(path: string, init: RequestInit = {}): Promise<string> {
  return (await askTagged(path, init)).text
}

// The same with the ETag of the answer, which a later If-Match may name.
export async function askTagged(path: string, init: RequestInit = {}): Promise<{ text: string; tag: string }> {
  const headers = new Headers(init.headers)
  if (session.token) headers.set('Authorization', `Bearer ${session.token}`)
  let response: Response
  let text: string
  try {
    response = await fetch(path, { ...init, headers })
    text = await response.text()
  } catch {
    await steady()
    throw new Refusal(0, 'network', 'The server does not answer.')
  }
  await steady()
  renew(response)
  if (!response.ok) throw refusal(response, text)
  return { text, tag: response.headers.get('ETag') ?? '' }
}
