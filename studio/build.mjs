// Builds the studio into service/studio_files, which is what the service serves, the wheel carries and the repository keeps.
// `node build.mjs OUT` builds into another folder, to compare; `node build.mjs --watch` builds on every change.
import { copyFileSync, mkdirSync } from "node:fs";
import * as esbuild from "esbuild";

const [given] = process.argv.slice(2);
const watching = given === "--watch";
const out = given && !watching ? given : "../service/studio_files";

const options = {
  entryPoints: { studio: "src/main.tsx" },
  outdir: out,
  bundle: true,
  format: "esm",
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  minify: true,
  legalComments: "eof",
  charset: "utf8",
  logLevel: "warning",
};

mkdirSync(out, { recursive: true });
for (const file of ["index.html", "icon.svg"]) copyFileSync(`src/${file}`, `${out}/${file}`);
if (watching) await (await esbuild.context(options)).watch();
else await esbuild.build(options);
