// What a user may do, as the server tells it (docs/access.md).

// The permissions of a role, and the CAs that they hold for; null: every CA.
export type Rights = { permissions: string[]; cas: string[] | null }

// Whether a request that asks for a permission would be let through. What is
// about a CA needs to be about one of the role's CAs, and ca-read there beside
// its own permission; what is about the publication server needs pub-admin.
export function allows({ permissions, cas }: Rights, permission: string, ca?: string): boolean {
  if (ca !== undefined && cas !== null && !cas.includes(ca)) return false
  const asked = [permission]
  if (ca !== undefined) asked.push('ca-read')
  if (permission.startsWith('pub-')) asked.push('pub-admin')
  return asked.every((p) => permissions.includes(p))
}
