/**
 * Programs that pages quote. A quoted block stands under a comment that names its file; the blocks of one file, in their
 * order, are the whole file, with nothing left out but empty lines between them.
 */

/** File and code of each quoted block of a page. */
const quotesOf = (page: string): ReadonlyArray<{ readonly file: string; readonly code: string }> =>
  [...page.matchAll(/^<!-- (examples\/\S+) -->\n+```\w+\n([\s\S]*?)\n```$/gm)]
    .map(([, file, code]) => ({ file: file!, code: code! }))

/** The files that a page quotes, each once. */
export const quotedFiles = (page: string): ReadonlyArray<string> =>
  [...new Set(quotesOf(page).map(({ file }) => file))].sort()

/** What of the quotes is not as in the files; `read` gives a file, or nothing where there is none. */
export const quoteProblems = (page: string, read: (file: string) => string | undefined): ReadonlyArray<string> =>
  quotedFiles(page).flatMap((file) => {
    let rest = read(file)
    if (rest === undefined) return [`there is no ${file}`]
    for (const [index, { code }] of quotesOf(page).filter((quote) => quote.file === file).entries()) {
      rest = rest.replace(/^\n+/, "")
      if (!rest.startsWith(`${code}\n`)) return [`${file}: its block ${index + 1} is not what stands there`]
      rest = rest.slice(code.length + 1)
    }
    return rest.trim() === "" ? [] : [`${file}: what follows is not quoted: ${rest.trim().split("\n")[0]}`]
  })
