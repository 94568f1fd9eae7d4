"""`vadose report`: releases and runs become the report site."""

from __future__ import annotations

import click

from vadose.cli.options import Common, common_options


@click.command("report")
@click.argument("names", nargs=-1, metavar="[RELEASE]... [RUN]...")
@click.option("--build", is_flag=True, help="Run MkDocs: the site is in build/site.")
@click.option("--serve", is_flag=True, help="Build and serve the site; rebuild it after each change until Ctrl-C.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port of --serve.")
@click.option("--csp", is_flag=True, help="Print the Content-Security-Policy header of the built site.")
@click.option("--readme", is_flag=True, help="Print the headline table of the README.")
@click.option("--site-url", envvar="VADOSE_SITE_URL", help="Address at which the site will be served.")
@click.option(
    "--files-url", envvar="VADOSE_FILES_URL", default="", help="Address of releases/; default: files/ below the site."
)
@common_options
def command(
    common: Common, names: tuple[str, ...], build: bool, serve: bool, port: int, csp: bool, readme: bool,
    site_url: str | None, files_url: str,
) -> int:  # fmt: skip
    """Render releases and runs into the report site.

    Without names, everything in the workspace is shown. An unpublished version is marked as a preview.

    Example: vadose report --build --workspace workspace
    """
    from vadose.reports import Skill, build_site, policy, readme_table, report, site_project

    if readme:
        skill = Skill(site_project() / "data" / "skill")
        table = readme_table(skill if (skill.folder / "skill.json").is_file() else None)
        return common.emit("report", {"markdown": table}, table)
    site = common.workspace / "build" / "site"
    if csp:
        header = policy(site)
        return common.emit("report", {"header": header}, f"Content-Security-Policy: {header}")
    address = site_url or f"http://127.0.0.1:{port}/"
    if common.dry_run:
        return _dry_run(common, names)
    done = report(common.workspace, names, site_url=address, files_url=files_url, progress=common.progress)
    result = {
        "docs": str(done.docs), "config": str(done.config), "pages": done.pages,
        "written": done.written, "removed": done.removed,
    }  # fmt: skip
    lines = [f"{done.pages} pages in {done.docs}: {done.written} files written, {done.removed} removed"]
    if build or serve:
        common.progress.say("MkDocs builds the site")
        build_site(done.config, address, issued=done.issued)
        result["site"] = str(site)
        lines.append(f"site in {site}")
    code = common.emit("report", result, "\n".join(lines))
    if serve:
        _serve(common, names, port, address, files_url)
    return code


def _dry_run(common: Common, names: tuple[str, ...]) -> int:
    from vadose.reports import collect, site_project

    content = collect(common.workspace, site_project(), names)
    shown = [release.address for release in content.releases] + [f"runs/{run.id}" for run in content.runs]
    build = common.workspace / "build"
    table = "\n".join(
        ["would show", *(f"  {name}" for name in shown), f"would write {build / 'docs'} and {build / 'mkdocs.yml'}"]
    )
    return common.emit("report", {"would_show": shown, "would_write": [str(build / "docs")]}, table)


def _serve(common: Common, names: tuple[str, ...], port: int, address: str, files_url: str) -> None:
    from vadose.reports import following

    with following(
        common.workspace, port, names, site_url=address, files_url=files_url, log=common.debug, say=common.progress.say
    ) as listener:
        click.echo(f"open http://127.0.0.1:{listener.server_address[1]}/ (Ctrl-C ends)", err=True)
        listener.serve_forever()
