/** Of this package. */
export declare const packageVersion: string

/** The text of each file in `assets`, by its name. `.ci/page.js` writes the module when lib is compiled. */
export declare const pageFiles: Readonly<Record<string, string>>
