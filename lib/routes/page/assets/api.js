// Requests to the operator routes. All URLs are relative to the page, so that it works below any prefix.

/** A request that failed. `message` is one sentence for the operator. */
export class RequestError extends Error {}

const TIMEOUT_MS = 15_000

/** Get or change something. `path` is relative to the prefix of the operator routes. Throws RequestError. */
export async function request (path, { method = 'GET', body } = {}) {
  const headers = { accept: 'application/json' }
  if (body !== undefined) headers['content-type'] = 'application/json'
  let response
  try {
    response = await fetch(path, {
      method, headers, body: JSON.stringify(body), cache: 'no-store', redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS)
    })
  } catch (error) {
    throw new RequestError(error.name === 'TimeoutError' ? 'The server does not answer.' : 'The server cannot be reached.')
  }
  const value = await response.json().catch(() => null)
  if (response.ok && value !== null) return value
  throw new RequestError(describeFailure(response, value))
}

function describeFailure ({ status, type }, problem) {
  const isSignedOut = type === 'opaqueredirect' || status === 401 || status === 403
  if (isSignedOut) return 'The server refuses this request. Reload the page to sign in again.'
  if (status === 404) return 'The server has no such route for this address (404).'
  const reason = problem?.detail ?? problem?.message
  return typeof reason === 'string' ? `${reason} (${status})` : `The server answered with status ${status}.`
}

/** The partition as a query. */
export function partitionQuery (partition) {
  return `partition=${encodeURIComponent(partition)}`
}
