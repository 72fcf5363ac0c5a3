/** The text of each script in `scripts`, by its name without the ending. `.ci/lua.js` writes the module when lib is compiled. */
export declare const luaFiles: Readonly<Record<string, string>>
