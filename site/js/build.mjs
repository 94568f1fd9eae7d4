// Builds ../docs/assets/site.js and ../docs/assets/vendor/ from these sources and from npm; same input, same bytes.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import vm from "node:vm";

const assets = "../docs/assets";
const tests = "../../tests/vendor";
const vendor = `${assets}/vendor`;
const limitBytes = 1_630_000;
mkdirSync(vendor, { recursive: true });

const esbuild = (...words) => execFileSync("node_modules/.bin/esbuild", words, { stdio: ["ignore", "inherit", "inherit"] });

esbuild("plotly.js", "--bundle", "--minify", "--format=iife", "--global-name=Plotly", "--define:global=window", "--loader:.css=text",
  "--log-level=warning", "--metafile=node_modules/.bundle.json", `--outfile=${vendor}/plotly-vadose.min.js`);
esbuild("main.js", "--bundle", "--minify", "--format=iife", "--target=es2022", "--charset=utf8", "--log-level=warning", `--outfile=${assets}/site.js`);

const bundle = readFileSync(`${vendor}/plotly-vadose.min.js`);
if (bundle.length > limitBytes) throw new Error(`plotly-vadose.min.js has ${bundle.length} bytes, the limit is ${limitBytes}`);
if (bundle.includes("new Function")) throw new Error("plotly-vadose.min.js holds `new Function`, which the Content-Security-Policy forbids");

/** A topology with these layers alone and the arcs that they use; the maps draw no rivers, lakes or provinces. */
const trimmed = (topology, layers) => {
  const places = new Map();
  const place = (arc) => {
    const plain = arc < 0 ? ~arc : arc;
    if (!places.has(plain)) places.set(plain, places.size);
    return arc < 0 ? ~places.get(plain) : places.get(plain);
  };
  const renumbered = (arcs) => arcs.map((arc) => (Array.isArray(arc) ? renumbered(arc) : place(arc)));
  const geometry = (one) => (one.arcs ? { ...one, arcs: renumbered(one.arcs) } : one);
  const objects = Object.fromEntries(
    layers.map((name) => [name, { ...topology.objects[name], geometries: topology.objects[name].geometries.map(geometry) }]),
  );
  return { ...topology, objects, arcs: [...places.keys()].map((arc) => topology.arcs[arc]) };
};

/** The topology on a grid `factor` times as wide: 0.0036 degrees, far below the accuracy of outlines of 1 : 110 million. */
const coarser = (topology, factor) => {
  const widened = (arc) => {
    const [at, before] = [[0, 0], [0, 0]];
    return arc.map((step) =>
      step.map((delta, axis) => {
        at[axis] += delta;
        const moved = Math.round(at[axis] / factor) - before[axis];
        before[axis] += moved;
        return moved;
      }),
    );
  };
  const { scale, translate } = topology.transform;
  const transform = { scale: scale.map((one) => one * factor), translate };
  return { ...topology, transform, arcs: topology.arcs.map(widened) };
};

// The npm package ships the map outlines only inside this script.
const page = {};
page.window = page;
page.self = page;
vm.runInNewContext(readFileSync("node_modules/plotly.js/dist/plotly-geo-assets.js", "utf8"), page);
const outlines = coarser(trimmed(page.Plotly.topojson.world_110m, ["coastlines", "land", "countries"]), 10);
writeFileSync(`${vendor}/world_110m.json`, JSON.stringify(outlines));

// Every package whose code is in the bundle, with its licence text where the package ships one.
const inputs = Object.keys(JSON.parse(readFileSync("node_modules/.bundle.json", "utf8")).inputs);
const packages = [...new Set(inputs.map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]).filter(Boolean))].sort();
const licence = (name) => {
  const folder = `node_modules/${name}`;
  const { version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const file = readdirSync(folder).sort().find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? readFileSync(`${folder}/${file}`, "utf8").trim().replace(/\r\n/g, "\n").replace(/[ \t]+$/gm, "") : `Licence as declared by the package: ${license}`;
  return `${"=".repeat(78)}\n${name} ${version} (${license})\n${"=".repeat(78)}\n${text}\n`;
};
writeFileSync(`${vendor}/LICENSES`, `plotly-vadose.min.js is plotly.js with the trace types of site/js/plotly.js, and the packages below.
world_110m.json holds the map outlines that plotly.js ships, made from Natural Earth (public domain).

${packages.map(licence).join("\n")}`);

// The rules of accessibility that the browser tests apply; never part of the site.
mkdirSync(tests, { recursive: true });
copyFileSync("node_modules/axe-core/axe.min.js", `${tests}/axe.min.js`);
copyFileSync("node_modules/axe-core/LICENSE", `${tests}/LICENSE-axe`);
