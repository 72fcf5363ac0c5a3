/** What a function of `password` may return besides text. */
export interface ExpiringPassword {
  readonly password: string
  /** Replaces the option `username`, for a user and password that change together. */
  readonly username?: string
  /** Time until Redis no longer accepts the password, milliseconds. Open connections authenticate again after four fifths of it. */
  readonly expiresInMs?: number
}

/** The user and password of the Redis servers. */
export interface CredentialOptions {
  /** A function is called together with that of `password`. */
  readonly username?: string | (() => string | Promise<string>) | undefined
  /**
   * For passwords that change, such as tokens: a function, called for each new connection. It may take as long as
   * connecting, `connectTimeout`.
   */
  readonly password?: string | (() => string | ExpiringPassword | Promise<string | ExpiringPassword>) | undefined
}

/** The user and password of one connection. */
export interface Credentials extends Partial<ExpiringPassword> {}

/** Reads the credentials. Connections that need them at the same time share one call of the functions. */
export class CredentialSource {
  #options: CredentialOptions
  #pending: Promise<Credentials> | null = null
  #last: Credentials | null = null

  constructor (options: CredentialOptions) {
    this.#options = options
  }

  /** Rejects with the code CREDENTIALS if a function fails, takes longer, or returns something else. */
  async read (timeoutMs: number): Promise<Credentials> {
    const pending = this.#pending ??= within(timeoutMs, resolveCredentials(this.#options))
    try {
      const credentials = await pending
      if (this.#pending === pending) this.#last = credentials
      return credentials
    } catch {
      // Not the error of the function: it may contain a secret.
      throw Object.assign(new Error('the function of the password failed'), { code: 'CREDENTIALS' })
    } finally {
      if (this.#pending === pending) this.#pending = null
    }
  }

  /** The last credentials, unless Redis rejected them. */
  async reuse (timeoutMs: number): Promise<Credentials> {
    return this.#last ?? await this.read(timeoutMs)
  }

  /** Call it when Redis rejects the credentials: the next `reuse` reads them again. */
  reject (): void {
    this.#last = null
  }

  replace (options: CredentialOptions): void {
    this.#options = options
    this.#pending = null
    this.#last = null
  }
}

async function resolveCredentials (options: CredentialOptions): Promise<Credentials> {
  const [username, answer] = await Promise.all([call(options.username), call(options.password)])
  const { password, ...others } = typeof answer === 'object' ? answer : { password: answer }
  const credentials: Credentials = { username, password, ...others }
  if (!isCredentials(credentials) || (typeof options.password === 'function' && !password)) throw new TypeError('not a password')
  return credentials
}

async function call<T> (option: string | (() => T | Promise<T>) | undefined): Promise<string | T | undefined> {
  return typeof option === 'function' ? await option() : option
}

/** Functions may return anything in JavaScript. */
function isCredentials ({ username, password, expiresInMs }: Credentials): boolean {
  return [username, password].every((text) => text === undefined || typeof text === 'string') &&
    (expiresInMs === undefined || (typeof expiresInMs === 'number' && expiresInMs > 0))
}

async function within<T> (timeoutMs: number, result: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    // setImmediate: an answer that has arrived is read first.
    timer = setTimeout(() => setImmediate(() => { reject(new Error('timeout')) }), timeoutMs).unref()
  })
  try {
    return await Promise.race([result, timeout])
  } finally {
    clearTimeout(timer)
  }
}
