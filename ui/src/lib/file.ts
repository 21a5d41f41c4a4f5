// Gives the user a file that was made in the page.
export function save(name: string, type: string, text: string) {
  const address = URL.createObjectURL(new Blob([text], { type }))
  const a = document.createElement('a')
  a.href = address
  a.download = name
  a.click()
  URL.revokeObjectURL(address)
}
