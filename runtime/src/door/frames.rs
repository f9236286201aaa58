//! `/api/v1/sources/{name}/frame`: the newest picture of a source, and pictures handed to one of kind `http`. Knows nothing of
//! what is seen in them.

use std::io::Cursor;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder as _, ImageFormat};

use super::drawn::{SVG, drawn};
use super::inside::{Inside, blocking, body};
use super::refusal::{Code, Refusal};
use crate::daemon::command::Reply;
use crate::source::Content;

/// Quality of a JPEG that is made for looking at.
const QUALITY: u8 = 85;

/// The media type of a picture's file, if it is of a kind that sources give.
pub(super) fn media(file: &[u8]) -> Option<&'static str> {
    match image::guess_format(file).ok()? {
        format @ (ImageFormat::Bmp | ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP) => {
            Some(format.to_mime_type())
        }
        _ => None,
    }
}

/// The newest frame of a source; of readings, a picture that is drawn of them.
#[utoipa::path(get, path = "/api/v1/sources/{name}/frame", tag = "sources",
    params(("name" = String, Path, description = "The source", example = "yard"),
        ("If-None-Match" = Option<String>, Header, description = "The ETag of the frame that is known")),
    responses((status = 200, description = "A picture",
            content((Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"), (Vec<u8> = "image/webp"), (Vec<u8> = "image/bmp"),
                (String = "image/svg+xml")),
            headers(("etag" = String, description = "Names the frame"))),
        (status = 304, description = "There is no newer one")))]
pub(super) async fn newest(
    State(inside): State<Arc<Inside>>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let name = path(name)?;
    let known = inside.handle.view.borrow().sources.iter().any(|source| source.name == name);
    let Some(frame) = inside.handle.newest.of(&name).filter(|_| known) else {
        let lacks = if known { "has given no frame yet" } else { "is not there" };
        return Err(Refusal::not_found(format!("source `{name}` {lacks}")));
    };
    let etag = format!("\"{}\"", frame.taken.as_nanosecond());
    let caching = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, "no-store".to_owned())];
    let known = headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok()).unwrap_or_default();
    if known.split(',').any(|known| known.trim().trim_start_matches("W/") == etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let (kind, bytes) = blocking(move || picture(&frame.content)).await??;
    Ok((caching, [(header::CONTENT_TYPE, kind)], bytes).into_response())
}

/// Hands a picture to a source of kind `http`.
#[utoipa::path(post, path = "/api/v1/sources/{name}/frame", tag = "sources",
    params(("name" = String, Path, description = "The source", example = "yard")),
    request_body(description = "A JPEG, PNG, WebP or BMP file", content((Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"),
        (Vec<u8> = "image/webp"), (Vec<u8> = "image/bmp"), (Vec<u8> = "application/octet-stream"))),
    responses((status = 200, description = "It was taken in", body = Reply)))]
pub(super) async fn hand(
    State(inside): State<Arc<Inside>>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Json<Reply>, Refusal> {
    let name = path(name)?;
    let _place = inside.pictures.acquire().await;
    let bytes = body(request, inside.limits.picture).await?;
    if media(&bytes).is_none() {
        return Err(Refusal::invalid("this is no picture: expected the bytes of a JPEG, PNG, WebP or BMP file"));
    }
    let posted = Arc::clone(&inside.handle.posted);
    let done = format!("source `{name}` took {} bytes", bytes.len());
    blocking(move || posted(&name, Content::File(bytes.into()))).await??;
    Ok(Json(Reply::Done { done }))
}

/// What stands in a path, decoded.
pub(super) fn path<T>(path: Result<Path<T>, PathRejection>) -> Result<T, Refusal> {
    path.map(|Path(path)| path).map_err(|error| Refusal::invalid(error.body_text()))
}

/// A frame as a browser can show it.
pub(super) fn picture(content: &Content) -> Result<(&'static str, Vec<u8>), Refusal> {
    match content {
        Content::File(file) => {
            let kind =
                media(file).ok_or_else(|| Refusal::not_found("the newest frame is no picture that can be shown"))?;
            Ok((kind, file.clone()))
        }
        Content::Rgb { width, height, pixels } => {
            let mut file = Cursor::new(Vec::new());
            JpegEncoder::new_with_quality(&mut file, QUALITY)
                .write_image(pixels, *width, *height, ExtendedColorType::Rgb8)
                .map_err(|error| Refusal::new(Code::Failed, format!("could not write the frame as JPEG: {error}")))?;
            Ok(("image/jpeg", file.into_inner()))
        }
        Content::Window(readings) => Ok((SVG, drawn(&readings.npy).unwrap_or_default().into_bytes())),
    }
}
