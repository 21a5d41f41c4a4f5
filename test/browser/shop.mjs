// A CA that several scripts use: below the testbed, and publishing there.
import { api, until } from './page.mjs'

let made

export const shop = () => (made ??= join('shop', { asn: 'AS64510-AS64520', ipv4: '10.2.0.0/16', ipv6: '' }))

// Makes a CA and lets it join the testbed under the name "upstream".
async function join(handle, resources) {
  const at = `/api/v1/cas/${handle}`
  await api('POST', '/api/v1/cas', { handle })
  await publish(handle)
  const { id_cert } = await api('GET', `${at}/id/child_request.json`)
  await api('POST', `${at}/parents`, { handle: 'upstream', response: await api('POST', '/testbed/children', { handle, id_cert, resources }) })
  await until(`${handle} is certified`, async () => (await api('GET', at)).resources.ipv4 !== '')
}

// Lets a CA publish in the testbed's repository.
export async function publish(handle) {
  const { id_cert } = await api('GET', `/api/v1/cas/${handle}/id/publisher_request.json`)
  const repository_response = await api('POST', '/testbed/publishers', { publisher_handle: handle, id_cert, tag: null })
  await api('POST', `/api/v1/cas/${handle}/repo`, { repository_response })
}
