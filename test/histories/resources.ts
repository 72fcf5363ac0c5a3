type End = () => unknown

/** What must be ended after a run, in place of a test: the last first. */
export class Resources {
  readonly #ends: End[] = []

  teardown (end: End): void {
    this.#ends.push(end)
  }

  async close (): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end()
  }
}
