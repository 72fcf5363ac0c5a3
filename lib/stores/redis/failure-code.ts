/** The failure code of a reply that is not in the format of its script, or that no call asked for: of a faulty server or proxy. */
export const BAD_REPLY = 'BAD_REPLY'

/** The first word of a reply that decided nothing, because the time of Redis is in no period of a calendar window. */
export const OUT_OF_PERIODS = 'PERIOD'

/** Error replies whose first word is `ERR` although their cause has a name. */
const NAMED_REPLIES: ReadonlyArray<readonly [text: string, code: string]> = [
  ['max number of clients', 'MAXCLIENTS'],
  ['cluster support disabled', 'CLUSTER_DISABLED']
]

/** Texts of errors of ioredis that have no code. */
const TIMEOUT = /^(Command timed out|Socket timeout)/
const LAST_REPLY = /Last error: ReplyError: (.*)/

/** The code of a Redis error reply such as `OOM ...` or `READONLY ...`: its first word. */
export function parseReplyCode (text: string): string {
  const word = /^[A-Z]{1,40}/.exec(text)?.[0] ?? 'ERR'
  return word === 'ERR' ? NAMED_REPLIES.find(([part]) => text.includes(part))?.[1] ?? word : word
}

/** The code of a failed call or connection, such as `OOM`, `WRONGPASS` or `ECONNREFUSED`. Never the error text. */
export function toFailureCode (error: unknown): string {
  if (!(error instanceof Error)) return 'CONNECTION'
  if (isFailedSelect(error) && parseReplyCode(error.message) === 'ERR') return 'SELECT'
  if (error.name === 'ReplyError') return parseReplyCode(error.message)
  if ('code' in error && typeof error.code === 'string') return error.code
  // A Cluster client that found no node keeps the error of the last one.
  if ('lastNodeError' in error) return toFailureCode(error.lastNodeError)
  if (TIMEOUT.test(error.message)) return 'DEADLINE'
  const reply = LAST_REPLY.exec(error.message)
  return reply === null ? 'CONNECTION' : parseReplyCode(reply[1])
}

/** Whether a code says only that a connection broke. */
export function isGenericCode (code: string): boolean {
  return code === 'CONNECTION' || code === 'ECONNRESET' || code === 'EPIPE'
}

/** Whether Redis refused to select the database of a connection. */
export function isFailedSelect (error: Error): boolean {
  const { command } = error as { readonly command?: { readonly name?: unknown } }
  return error.name === 'ReplyError' && command?.name === 'select'
}

/** Whether a connection is about to be closed after a reply that no call asked for. */
export function isBadReply (error: Error): boolean {
  return (error as { readonly code?: unknown }).code === BAD_REPLY
}
