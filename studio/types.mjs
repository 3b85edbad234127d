// Writes src/api/schema.d.ts, the API's resources and requests as types, from the service's own OpenAPI document:
// `node types.mjs DOCUMENT [OUT]`.
import { readFileSync, writeFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";

const [document, out = "src/api/schema.d.ts"] = process.argv.slice(2);
if (!document) throw new Error("usage: node types.mjs DOCUMENT [OUT]");
const resources = { ...JSON.parse(readFileSync(document, "utf8")), paths: {} };
const types = astToString(await openapiTS(resources));
writeFileSync(out, `// Generated from the service's OpenAPI document by types.mjs; not edited by hand.\n${types}`);
