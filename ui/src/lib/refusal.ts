// A refusal by the server: what happened, to what, in the server's own words.
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly label: string,
    message: string,
    readonly args: Record<string, string> = {},
    readonly body?: unknown,
  ) {
    super(message)
  }
}
