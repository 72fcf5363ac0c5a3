import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { freePort, startRedis, type RedisServer } from '../../fixtures/redis-server.js'

/** Why nothing can be tested over TLS here; `false` where it can. */
export const skipReason = hasOpenssl() ? false : 'there is no openssl binary'

/** A certificate authority of a test's own, and one certificate of it for this machine. */
export interface Authority {
  /** The authority's certificate, as text and as a file. */
  readonly ca: string
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
}

/** Make an authority that nobody trusts yet. It goes with the test. `names`: of its certificate. */
export function createAuthority (t: Test, names = 'IP:127.0.0.1,DNS:localhost'): Authority {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-tls-'))
  t.teardown(() => { rmSync(directory, { recursive: true, force: true }) })
  const file = (name: string) => join(directory, name)
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  writeFileSync(file('names'), `subjectAltName=${names}`)
  openssl('req', '-x509', ...newKey, '-keyout', file('ca.key'), '-out', file('ca.crt'), '-days', '2', '-subj', '/CN=throw-away authority')
  openssl('req', ...newKey, '-keyout', file('server.key'), '-out', file('server.csr'), '-subj', '/CN=localhost')
  openssl('x509', '-req', '-in', file('server.csr'), '-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-CAcreateserial',
    '-days', '2', '-extfile', file('names'), '-out', file('server.crt'))
  return { ca: readFileSync(file('ca.crt'), 'utf8'), caFile: file('ca.crt'), certFile: file('server.crt'), keyFile: file('server.key') }
}

/** Start a redis-server that speaks TLS on a port of its own, and plainly on its usual one, for the test to look. */
export async function startTlsRedis (t: Test, { caFile, certFile, keyFile }: Authority, args: readonly string[] = []): Promise<RedisServer & { readonly tlsPort: number }> {
  const tlsPort = await freePort()
  const server = await startRedis(t, [
    '--tls-port', String(tlsPort), '--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-ca-cert-file', caFile,
    '--tls-auth-clients', 'no', ...args
  ])
  return Object.defineProperty(server, 'tlsPort', { value: tlsPort }) as RedisServer & { readonly tlsPort: number }
}

function hasOpenssl (): boolean {
  try {
    openssl('version')
    return true
  } catch {
    return false
  }
}

function openssl (...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' })
}
